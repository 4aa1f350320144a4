"""The process behind ``make demo``: starts everything on an empty machine and keeps it running.

``python -m config.supervisor`` runs the demo, ``… reset`` forgets its state, and
``… with COMMAND`` runs one command beside the database and the broker.
"""

import argparse
import base64
import errno
import fcntl
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol

from config import embedded, leash

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_STATE = ROOT / ".state"
LOGIN_PAGE = "/login/"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
QUICK_DEATH = 30.0  # seconds; a program that lives longer was running
QUICK_DEATHS_ALLOWED = 5
LONGEST_PAUSE = 16.0
ANSWERS_WITHIN = 120.0
PORT_FREE_WITHIN = 3.0  # a web server that was just stopped needs a moment
STOPS_WITHIN = 15.0
MOST_WORKERS = 8
LOG_LIMIT = 10 * 1024 * 1024


class Refused(Exception):
    """CytoDesk cannot start or go on; the message is a sentence for the person at the terminal."""


class Runs(Protocol):
    """What can be kept running: a program of ours or an embedded server."""

    title: str
    log: Path

    @property
    def is_running(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(slots=True)
class Program:
    """One child process with its log."""

    title: str
    command: list[str]
    log: Path
    environment: Mapping[str, str]
    on_parent_death: signal.Signals = signal.SIGTERM
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        if self._process is not None:
            leash.kill_group(self._process)  # what a dead program left behind
        self._process = leash.start(
            self.command,
            on_parent_death=self.on_parent_death,
            log=self.log,
            folder=ROOT,
            environment=self.environment,
        )

    def ask_to_stop(self) -> None:
        if self._process is not None and self.is_running:
            self._process.terminate()

    def stop(self) -> None:
        if self._process is None:
            return
        self.ask_to_stop()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOPS_WITHIN)
        leash.kill_group(self._process)
        self._process.wait()


@dataclass(slots=True)
class Kept:
    """Something that is started again when it dies, with longer pauses, and not for ever."""

    what: Runs
    started: float = field(default_factory=time.monotonic)
    quick_deaths: int = 0
    again_at: float | None = None

    def tend(self) -> None:
        now = time.monotonic()
        if self.again_at is None and not self.what.is_running:
            self.quick_deaths = self.quick_deaths + 1 if now - self.started < QUICK_DEATH else 1
            if self.quick_deaths > QUICK_DEATHS_ALLOWED:
                raise Refused(
                    f"{self.what.title} died {self.quick_deaths} times in a row: "
                    f"{self.what.log} says why."
                )
            self.again_at = now + min(2.0 ** (self.quick_deaths - 2), LONGEST_PAUSE)
            say(f"{self.what.title} stopped unexpectedly and is started again.")
        elif self.again_at is not None and now >= self.again_at:
            self.again_at = None
            self.started = now
            self.what.start()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; every expected failure is one sentence."""
    parser = argparse.ArgumentParser(prog="config.supervisor", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("demo", help="run the demo (the default)")
    commands.add_parser("reset", help="forget the demo's data")
    with_servers = commands.add_parser("with", help="run a command beside database and broker")
    with_servers.add_argument("program", nargs=argparse.REMAINDER)
    chosen = parser.parse_args(arguments)
    for number in ENDING:
        signal.signal(number, _interrupt)
    try:
        if chosen.command == "reset":
            reset()
        elif chosen.command == "with":
            return run_with_servers(chosen.program)
        else:
            demo()
    except KeyboardInterrupt:
        say("Stopped.")
    except (Refused, embedded.CannotStart) as error:
        say(f"CytoDesk: {error}", to=sys.stderr.fileno())
        return 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT):
            raise
        say(f"CytoDesk: {error.filename or ROOT}: {error.strerror}.", to=sys.stderr.fileno())
        return 1
    return 0


def demo() -> None:
    """Start everything, show where it is, and keep it running until a signal."""
    state = _state_folder()
    host, port = os.environ.get("HOST", "127.0.0.1"), _port()
    with ExitStack() as stack:
        stack.enter_context(_only_one(state))
        _require_free_port(host, port)
        logs = state / "logs"
        shorten(logs)
        environment, servers = _servers(state, logs, stack)
        setting_up = Setup(logs / "setup.log", environment)
        setting_up.run("Preparing the database", "migrate", "--no-input")
        setting_up.run("Collecting the pages' files", "collectstatic", "--no-input", "--clear")
        setting_up.run("Registering the model", "register_model")
        setting_up.run("Seeding the demo laboratory", "seed_demo")
        programs = _programs(host, port, state, logs, environment)
        stack.callback(_stop_all, programs)
        for program in programs:
            program.start()
        running: list[Runs] = [*servers, *programs]
        kept = [Kept(one) for one in running]
        _wait_for_login_page(port, kept)
        _show(state, port)
        while True:
            _tend(kept)


def reset() -> None:
    """Forget the demo's database, images, keys and logs."""
    state = _state_folder()
    servers = embedded.at(embedded.place(state))
    with _only_one(state):
        if servers.postgres.answers() or servers.valkey.answers():
            raise Refused(f"its servers still run on {state}: stop what uses them first.")
        # Root's servers may keep their data elsewhere, and sockets may need a short path.
        for folder in (servers.postgres.folder, servers.postgres.sockets, state):
            shutil.rmtree(folder, ignore_errors=True)
    if state.exists():
        raise Refused(f"{state} could not be removed whole: it holds files of another user.")
    say(f"The state in {state} is forgotten.")
    if os.environ.get("DATABASE_URL"):
        say("The database that DATABASE_URL names was not touched.")


def run_with_servers(command: Sequence[str]) -> int:
    """Run one command with the demo's settings and servers, started where they do not run yet."""
    if not command:
        raise Refused("with what? Name a command: python -m config.supervisor with COMMAND.")
    state = _state_folder()
    with ExitStack() as stack:
        environment, _ = _servers(state, state / "logs", stack)
        process = subprocess.Popen(command, env=environment)
        try:
            return process.wait()
        except KeyboardInterrupt:  # from a terminal it reached the command too
            process.terminate()
            return process.wait()


class Setup:
    """Management commands run in order, each told in a line."""

    def __init__(self, log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        self.environment = environment

    def run(self, what: str, *command: str) -> None:
        say(f"{what} …")
        began = self.log.stat().st_size if self.log.exists() else 0
        process = leash.start(
            [sys.executable, "manage.py", *command],
            on_parent_death=signal.SIGTERM,
            log=self.log,
            folder=ROOT,
            environment=self.environment,
        )
        try:
            code = process.wait()
        finally:
            leash.kill_group(process)
            process.wait()
        if code != 0:
            said = self.log.read_bytes()[began:].decode(errors="replace").strip().splitlines()
            reason = said[-1] if said else f"it ended with {code}"
            raise Refused(f"{what} failed: {reason} (see {self.log})")


def say(line: str, *, to: int | None = None) -> None:
    """A line on the terminal, which may be gone by now."""
    with suppress(OSError):
        os.write(sys.stdout.fileno() if to is None else to, f"{line}\n".encode())


def _interrupt(*_: object) -> NoReturn:
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # one is enough; what follows is tidying up
    raise KeyboardInterrupt


def _state_folder() -> Path:
    state = Path(os.environ.get("STATE_DIR") or DEFAULT_STATE).absolute()
    is_ours = state == DEFAULT_STATE or (state / "secrets.json").exists()
    if state.exists() and not is_ours and any(state.iterdir()):
        raise Refused(f"STATE_DIR names {state}, which holds other files: name an empty folder.")
    (state / "logs").mkdir(parents=True, exist_ok=True)
    # The servers of root run as nobody and pass through it; what is in it has modes of its own.
    state.chmod(0o711 if os.geteuid() == 0 else 0o700)
    (state / "logs").chmod(0o700)
    return state


@contextmanager
def _only_one(state: Path) -> Iterator[None]:
    """Hold the state folder; a second demo on it is refused."""
    with (state / "demo.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                f"it already runs from {ROOT}: open the address that the other terminal shows, "
                "or stop it there with Ctrl-C."
            ) from None
        yield


def _port() -> int:
    value = os.environ.get("PORT") or "8000"
    if not value.isascii() or not value.isdigit() or not 0 < int(value) < 65536:  # noqa: PLR2004 -- ports have 16 bits
        raise Refused(f"PORT is {value!r}: write a number from 1 to 65535.")
    return int(value)


def _require_free_port(host: str, port: int) -> None:
    deadline = time.monotonic() + PORT_FREE_WITHIN
    while (problem := _cannot_listen(host, port)) == errno.EADDRINUSE:
        if time.monotonic() > deadline:
            free = next((p for p in range(port + 1, 65536) if not _cannot_listen(host, p)), None)
            raise Refused(f"port {port} is in use: choose another, PORT={free} make demo.")
        time.sleep(0.1)
    if problem:
        raise Refused(f"it cannot listen on {host}, port {port}: {os.strerror(problem)}.")


def _cannot_listen(host: str, port: int) -> int:
    """The system's error number, or 0 where the port can be had."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            return error.errno or errno.EINVAL
    return 0


def _secrets(state: Path) -> dict[str, str]:
    """The keys of this installation: drawn once, and needed as long as its data."""
    path = state / "secrets.json"
    if not path.exists():
        key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        drawn = {"SECRET_KEY": secrets.token_urlsafe(64), "PATIENT_KEYS": key}
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(drawn, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    kept: dict[str, str] = json.loads(path.read_text())
    return kept


def _servers(
    state: Path, logs: Path, stack: ExitStack
) -> tuple[dict[str, str], list[embedded.Server]]:
    """The environment of every process, and the servers that had to be started for it."""
    place = embedded.place(state)
    both = embedded.at(place, logs=logs)
    wanted: dict[str, embedded.Server] = {"DATABASE_URL": both.postgres, "REDIS_URL": both.valkey}
    environment = _environment(state)
    started = []
    for name, server in wanted.items():
        if environment.get(name):
            continue
        if not server.answers():
            say(f"Starting {server.title} …")
            started.append(stack.enter_context(server))
        environment[name] = server.url
    if started and place.parent != state:
        say(f"Their data are in {place}: the user they run as cannot pass through {state}.")
    return environment, started


def _environment(state: Path) -> dict[str, str]:
    own = _secrets(state)
    given = {name: value for name, value in os.environ.items() if value}
    for name in own:
        if f"{name}_FILE" in given:
            own = {key: value for key, value in own.items() if key != name}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        **own,
        **threads,
        **given,
        "STATE_DIR": str(state),
        "PYTHONPATH": str(ROOT),
    }


def _programs(
    host: str, port: int, state: Path, logs: Path, environment: Mapping[str, str]
) -> list[Program]:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    workers = os.environ.get("WORKERS") or str(min(cores, MOST_WORKERS))
    web = ["gunicorn", "config.wsgi:application", f"--bind={host}:{port}", "--no-control-socket"]
    web += ["--worker-class=gthread", "--workers=2", "--threads=8"]
    web += ["--timeout=120", "--graceful-timeout=5", "--access-logfile=-"]
    celery = ["celery", "-A", "config"]
    worker = [*celery, "worker", "--pool=prefork", f"--concurrency={workers}", "--loglevel=INFO"]
    worker += ["--without-gossip", "--without-mingle"]
    beat = [*celery, "beat", f"--schedule={state / 'beat-schedule'}", "--pidfile="]

    def program(
        title: str, name: str, command: list[str], on_parent_death: signal.Signals
    ) -> Program:
        whole = [sys.executable, "-m", *command]
        return Program(title, whole, logs / f"{name}.log", environment, on_parent_death)

    return [
        program("The web server", "web", web, signal.SIGTERM),
        # SIGQUIT drops the cells at hand: their broker is going too, and the rows remember them.
        program("The worker", "worker", worker, signal.SIGQUIT),
        program("The clock", "beat", beat, signal.SIGTERM),
    ]


def _stop_all(programs: Sequence[Program]) -> None:
    for program in programs:
        program.ask_to_stop()
    for program in programs:
        program.stop()


def _tend(kept: Sequence[Kept]) -> None:
    for one in kept:
        one.tend()
    time.sleep(0.2)


def _wait_for_login_page(port: int, kept: Sequence[Kept]) -> None:
    deadline = time.monotonic() + ANSWERS_WITHIN
    while not _answers(port):
        if time.monotonic() > deadline:
            raise Refused(f"the login page does not answer: {kept[-1].what.log.parent} says why.")
        _tend(kept)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", LOGIN_PAGE)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _show(state: Path, port: int) -> None:
    logins = state / "demo-logins.txt"
    say(f"\nCytoDesk is ready: http://localhost:{port}/")
    say("Research and education only, not for diagnosis.\n")
    if logins.exists():
        say(logins.read_text().rstrip() + "\n")
    say(f"Logs: {state / 'logs'}. Stop: Ctrl-C. Forget everything: make demo-reset.")


def shorten(logs: Path) -> None:
    """Put aside a log that has grown large; one old one is kept of each."""
    for log in logs.glob("*.log"):
        if log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.old"))


if __name__ == "__main__":
    sys.exit(main())
