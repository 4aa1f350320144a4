"""``manage.py train``: a thin door to ``inference.train``, which says what a run does."""

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from inference.dataset import WrongData


def sizes(text: str) -> tuple[tuple[int, int], ...]:
    """``128:7,160:9`` as sides in pixels and epochs."""
    try:
        pairs = [pair.split(":") for pair in text.split(",")]
        return tuple((int(side), int(epochs)) for side, epochs in pairs)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not like 128:7,160:9") from error


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a number above zero")
    return int(text)


class Command(BaseCommand):
    help = "Fine-tune EfficientNet-B0 on folders of labelled cells; needs no database."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="folder with im_<Class>/")
        parser.add_argument("--out", type=Path, required=True, help="folder of this run")
        parser.add_argument("--epochs", type=positive, default=50)
        parser.add_argument("--batch-size", type=positive, default=32)
        parser.add_argument(
            "--init", default="imagenet", help="imagenet (downloaded), scratch, or a .safetensors"
        )
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument(
            "--sizes", type=sizes, default=(), help="begin smaller: 128:7,160:9; the rest at 224"
        )
        parser.add_argument("--threads", type=int, default=0, help="0: as PyTorch likes")
        parser.add_argument("--resume", action="store_true", help="go on where the run stopped")

    def handle(  # noqa: PLR0913 -- an argument an option
        self,
        *,
        data: Path,
        out: Path,
        epochs: int,
        batch_size: int,
        init: str,
        seed: int,
        sizes: tuple[tuple[int, int], ...],
        threads: int,
        resume: bool,
        **_options: object,
    ) -> None:
        # the command list must be readable where PyTorch is not installed
        try:
            from inference.train import CannotTrain, Recipe, train  # noqa: PLC0415 -- see above
        except ImportError as error:
            raise CommandError(f"Training needs `pip install .[train]`: {error}.") from error

        recipe = Recipe(
            data=data,
            out=out,
            epochs=epochs,
            batch_size=batch_size,
            init=init,
            seed=seed,
            sizes=sizes,
            threads=threads,
        )
        try:
            train(recipe, resume=resume, say=self.stdout.write)
        except (CannotTrain, WrongData) as error:
            raise CommandError(str(error)) from error
