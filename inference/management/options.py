"""Options that several commands take: numbers that mean something, and the pages' plotly.js."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.management.base import CommandError

if TYPE_CHECKING:
    from argparse import ArgumentParser

PLOTLY = Path("node_modules/plotly.js-strict-dist-min/plotly-strict.min.js")


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a number above zero")
    return int(text)


def share(text: str) -> float:
    """A number between 0 and 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise ArgumentTypeError(f"{text!r} is not a number between 0 and 1")
    return value


def add_plotly(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--plotly", type=Path, default=Path(settings.BASE_DIR) / PLOTLY, help="plotly.js"
    )


def plotly_beside(plotly: Path, html: Path) -> str:
    """The address of plotly.js as a page at ``html`` has it.

    Raises:
        CommandError: it is not there.

    """
    if not plotly.is_file():
        raise CommandError(f"There is no plotly.js at {plotly}: name it with --plotly.")
    return Path(os.path.relpath(plotly.resolve(), html.resolve().parent)).as_posix()
