"""``manage.py export_model``: from a finished training run to a model folder that can serve."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Export the best checkpoint of a training run; the folder's name is the model's."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=Path, help="the --out folder of a finished training")
        parser.add_argument("folder", type=Path, help="the model folder to make")
        parser.add_argument(
            "--with",
            dest="others",
            type=Path,
            nargs="+",
            default=(),
            metavar="RUN",
            help="further runs, trained with the same split, to answer together with the first",
        )

    def handle(
        self, *, run: Path, folder: Path, others: Sequence[Path], **_options: object
    ) -> None:
        # the command list must be readable where PyTorch is not installed
        try:
            from inference.export import CannotExport, export  # noqa: PLC0415 -- see above
        except ImportError as error:
            raise CommandError(f"Exporting needs `pip install .[train]`: {error}.") from error

        try:
            manifest = export(run, folder, *others)
        except CannotExport as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{folder} holds {manifest.name}, digest {manifest.digest[:12]}.")
