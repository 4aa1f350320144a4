"""``manage.py check_labels``: labels for a person to look at again; it changes none."""

import csv
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from inference import dataset
from inference.answered import Answered
from inference.calibration import LEVEL, CannotCalibrate
from inference.crossfit import cross_fitted
from inference.dataset import WrongData
from inference.doubtful import Doubt, coverage, doubts
from inference.duplicates import Pair, near_duplicates
from inference.management.options import share
from inference.management.tables import aligned

COLUMNS = ("kind", "file", "label", "other_file", "other_label", "label_probability", "score")


class Command(BaseCommand):
    help = (
        "List labels that answers out of fold make doubtful, and cells that were cut out twice; "
        "nothing is dropped or relabelled."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("answers", type=Path, help="answers of networks out of fold, by group")
        parser.add_argument("--data", type=Path, required=True, help="the data folder asked about")
        parser.add_argument("--csv", type=Path, metavar="FILE", help="write the whole list")
        parser.add_argument("--show", type=int, default=20, help="lines of each list printed")
        parser.add_argument("--level", type=share, default=LEVEL, help="of the prediction sets")

    def handle(
        self,
        *,
        answers: Path,
        data: Path,
        show: int,
        level: float,
        csv: Path | None,
        **_options: object,
    ) -> None:
        try:
            cells = dataset.read(data)
            answered = Answered.read(answers).of_cells(cells)
            crossed = cross_fitted(answered, level=level)
            found = doubts(answered, crossed)
            pairs = near_duplicates(data, cells)
        except ImportError as error:
            raise CommandError(f"This needs `pip install .[train]`: {error}.") from error
        except (WrongData, CannotCalibrate) as error:
            raise CommandError(str(error)) from error
        table = [("", "cells", "label in set", "mean size", "likeliest class is the label")]
        for name, one in coverage(answered, crossed, found).items():
            shares = (f"{one.covered:.1%}", f"{one.mean_size:.2f}", f"{one.right:.1%}")
            table.append((name, str(one.cells), *shares))
        self._tell(f"Sets at {level:.0%}, cross-fitted:", table)
        self._tell(
            f"{len(found)} of {len(cells)} labels are doubtful ({len(found) / len(cells):.1%}).",
            counted(found),
        )
        self._tell("The most doubtful:", [_told(one) for one in found[:show]])
        against = [pair for pair in pairs if pair.contradictory]
        apart = [pair for pair in pairs if pair.apart]
        self._tell(
            f"{len(pairs)} pairs of crops of different pictures show the same cell; "
            f"{len(apart)} are in different groups, {len(against)} have contradictory labels:",
            [_pair(pair) for pair in against],
        )
        if csv:
            _write(csv, found, pairs)

    def _tell(self, title: str, table: Sequence[Sequence[str]]) -> None:
        self.stdout.write(title)
        for line in aligned(table):
            self.stdout.write(f"  {line}")
        self.stdout.write("")


def counted(found: Sequence[Doubt]) -> list[tuple[str, str]]:
    """How many labels of a class look like which other."""
    ways = Counter(f"{one.label}, looks like {one.suggested}" for one in found)
    return [(way, str(count)) for way, count in ways.most_common()]


def _told(one: Doubt) -> tuple[str, ...]:
    return (
        one.file,
        f"label {one.label} ({one.label_probability:.1%})",
        f"looks like {one.suggested} ({one.suggested_probability:.1%})",
    )


def _pair(pair: Pair) -> tuple[str, ...]:
    return (pair.first.file, pair.second.file, f"{pair.correlation:.3f}")


def _write(path: Path, found: Sequence[Doubt], pairs: Sequence[Pair]) -> None:
    """Both lists as one CSV: ``kind`` is doubtful, duplicate or contradictory."""
    with path.open("w", newline="") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in found:
            numbers = (f"{one.label_probability:.4f}", f"{one.suggested_probability:.4f}")
            writer.writerow(["doubtful", one.file, one.label, "", one.suggested, *numbers])
        for pair in pairs:
            kind = "contradictory" if pair.contradictory else "duplicate"
            first, second = pair.first, pair.second
            labels = (first.file, first.cell_class, second.file, second.cell_class)
            writer.writerow([kind, *labels, "", f"{pair.correlation:.4f}"])
