"""``manage.py cross_validate``: a training a fold, and what every cell was answered out of fold."""

from argparse import ArgumentParser
from typing import get_args

from django.core.management.base import BaseCommand, CommandError

from inference.dataset import WrongData
from inference.management import training
from inference.management.options import positive
from inference.splits import FOLDS, Unit


class Command(BaseCommand):
    help = (
        "Train once a fold and gather the answers to cells that were not learnt from; "
        "given again, it goes on where it stopped. Needs no database."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        training.add_to(parser)
        parser.add_argument("--by", choices=get_args(Unit), default="group", dest="unit")
        parser.add_argument("--folds", type=positive, default=FOLDS)
        parser.add_argument(
            "--jobs", type=positive, default=1, help="trainings at once, a thread each"
        )

    def handle(
        self,
        *,
        unit: Unit,
        folds: int,
        jobs: int,
        stages: list[tuple[int, ...]],
        **options: object,
    ) -> None:
        # the command list must be readable where PyTorch is not installed
        try:
            from inference.cross_validation import cross_validate  # noqa: PLC0415 -- see above
            from inference.train import CannotTrain  # noqa: PLC0415
        except ImportError as error:
            raise CommandError(f"Training needs `pip install .[train]`: {error}.") from error

        recipe = training.recipe(stages=stages, **options)
        try:
            figures = cross_validate(recipe, unit, folds=folds, jobs=jobs, say=self.stdout.write)
        except (CannotTrain, WrongData) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Out of fold, by {unit}:\n\n{figures}")
