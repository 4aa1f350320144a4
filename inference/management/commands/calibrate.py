"""``manage.py calibrate``: fit a model's temperature, prediction sets and familiarity."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from inference import manifest
from inference.calibrate import calibrate, calibrate_out_of_fold, other_recipes
from inference.calibration import LEVEL, CannotCalibrate
from inference.dataset import WrongData
from inference.management.options import share
from inference.weights import WrongWeights


class Command(BaseCommand):
    help = (
        "Fit a model's temperature and prediction sets to the validation part of its split, and "
        "its familiarity to the training part, or all three to answers out of fold; before it is "
        "registered, for its digest changes."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", type=Path, help="the model folder to calibrate")
        parser.add_argument("data", type=Path, help="the data folder it was trained on")
        parser.add_argument("--split-file", type=Path, help="the training's split.csv, if at hand")
        parser.add_argument(
            "--answers",
            type=Path,
            metavar="FILE",
            help="for a model that learnt from every cell: what networks of its recipe answered "
            "out of fold, by group",
        )
        parser.add_argument(
            "--folds",
            type=Path,
            nargs="+",
            default=(),
            metavar="RUN",
            help="their training runs; those beside --answers, if not named",
        )
        parser.add_argument("--level", type=share, default=LEVEL, help="of the prediction sets")
        parser.add_argument("--threads", type=int, default=1)

    def handle(  # noqa: PLR0913 -- an argument an option
        self,
        *,
        model: Path,
        data: Path,
        split_file: Path | None,
        answers: Path | None,
        folds: Sequence[Path],
        level: float,
        threads: int,
        **_options: object,
    ) -> None:
        try:
            if answers:
                runs = list(folds) or sorted(
                    one.parent for one in answers.parent.glob("*/answers.npz")
                )
                for run, what in other_recipes(manifest.read(model), runs):
                    self.stderr.write(f"{run} had another recipe: {what}.")
                described = calibrate_out_of_fold(
                    model, data, answers, runs, level=level, threads=threads
                )
            else:
                described = calibrate(model, data, split_file, level=level, threads=threads)
        except (WrongWeights, WrongData, CannotCalibrate) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{described.name}: {described.calibration}.")
        self.stdout.write(f"Its digest is {described.digest[:12]} now.")
