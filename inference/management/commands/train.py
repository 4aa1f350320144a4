"""``manage.py train``: a thin door to ``inference.train``, which says what a run does."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from inference.dataset import WrongData
from inference.management import training
from inference.splits import Split


class Command(BaseCommand):
    help = "Fine-tune EfficientNet-B0 on folders of labelled cells; needs no database."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        training.add_to(parser)
        parser.add_argument(
            "--split",
            type=training.split_option,
            default=Split(),
            help="parts (70/15/15 by group, the default), all, or what is held out: group:1/5, "
            "run:1/5, image:1/5, cell:15%%",
        )
        parser.add_argument("--patience", type=int, default=0, help="epochs without a better one")
        parser.add_argument("--resume", action="store_true", help="go on where the run stopped")

    def handle(self, *, resume: bool, stages: list[tuple[int, ...]], **options: object) -> None:
        # the command list must be readable where PyTorch is not installed
        try:
            from inference.train import CannotTrain, train  # noqa: PLC0415 -- see above
        except ImportError as error:
            raise CommandError(f"Training needs `pip install .[train]`: {error}.") from error

        try:
            recipe = training.recipe(stages=stages, **options)
            train(recipe, resume=resume, say=self.stdout.write)
        except (CannotTrain, WrongData) as error:
            raise CommandError(str(error)) from error
