"""``manage.py plot_history``: what training runs noted after each epoch, in one page of charts."""

import json
import os
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from inference.assess_page import history_charts, plain_page
from inference.management.options import add_plotly, plotly_beside

HISTORY = "history.jsonl"


class Command(BaseCommand):
    help = "Draw the history of training runs, several in one page, finished or not."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("runs", type=Path, nargs="+", help="the --out folders of trainings")
        parser.add_argument("--html", type=Path, required=True, metavar="FILE")
        add_plotly(parser)

    def handle(self, *, runs: Sequence[Path], html: Path, plotly: Path, **_options: object) -> None:
        address = plotly_beside(plotly, html)
        histories = {str(run): history(run) for run in runs}
        shared = os.path.commonpath(histories) if len(histories) > 1 else ""
        named = {
            os.path.relpath(run, shared) if shared else run: histories[run] for run in histories
        }
        about = f"{len(named)} training runs, an epoch a point."
        html.write_text(
            plain_page("Training history", about, history_charts(named), plotly=address)
        )
        self.stdout.write(f"{html} shows {', '.join(named)}.")


def history(run: Path) -> list[dict[str, float]]:
    """The lines a run noted, an epoch each."""
    try:
        return [json.loads(line) for line in (run / HISTORY).read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise CommandError(f"{run} holds no history of a training.") from error
