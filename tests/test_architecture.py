"""Promises about the code itself, kept by reading it."""

import ast
import subprocess
import sys
from pathlib import Path

from cases import workflow
from cases.models import Case

ROOT = Path(__file__).parent.parent
APPS = ["accounts", "cases", "config", "dashboards", "education", "inference", "reports"]
SOURCES = [
    path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts
]


def changes_of_status(path):
    """Assignments to `x.status`, and `update(status=…)`, in a source file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign):
            yield from (
                t for t in node.targets if isinstance(t, ast.Attribute) and t.attr == "status"
            )
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "update":
            yield from (keyword for keyword in node.keywords if keyword.arg == "status")


def test_only_the_workflow_changes_a_status():
    changing = {path.relative_to(ROOT).parent for path in SOURCES if any(changes_of_status(path))}

    assert changing == {Path("cases/workflow")}


def test_the_workflow_page_names_every_state_and_every_verb():
    page = (ROOT / "docs/workflow.md").read_text()
    verbs = {name for name in workflow.__all__ if name.islower()}

    assert {word for word in {*verbs, *Case.Status.values} if f"`{word}`" not in page} == set()


def test_every_module_says_what_it_is():
    silent = [
        path.relative_to(ROOT)
        for path in SOURCES
        if (tree := ast.parse(path.read_text())).body and not ast.get_docstring(tree)
    ]

    assert silent == []


def test_no_module_is_named_for_nothing():
    nothing = {"utils", "helpers", "common", "core", "base", "services", "managers"}

    assert {path.stem for path in SOURCES} & nothing == set()


def test_nobody_connects_a_signal():
    connecting = [
        path.relative_to(ROOT) for path in SOURCES if "django.db.models.signals" in path.read_text()
    ]

    assert connecting == []


def test_no_script_and_no_style_stands_in_a_page():
    """The content security policy would refuse them; a page that needs one is broken."""
    inline = [
        path.relative_to(ROOT)
        for path in (ROOT / "templates").rglob("*.html")
        if any(sign in path.read_text() for sign in (" style=", "<style", " onclick=", "<script>"))
    ]

    assert inline == []


def test_the_web_process_never_loads_the_runtime():
    """It asks which model answers; only workers ask the model."""
    loaded = (
        "import sys, config.wsgi; from django.urls import get_resolver; "
        "get_resolver().url_patterns; print('onnxruntime' in sys.modules)"
    )

    asked = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert asked.stdout == "False\n"
