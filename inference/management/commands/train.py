"""``manage.py train``: a thin door to ``inference.train``, which says what a run does."""

from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inference.dataset import WrongData
from inference.splits import Split


def numbers(text: str) -> list[tuple[int, ...]]:
    """``128:4,160:5:4`` as sides in pixels, epochs and, if any, frozen blocks."""
    try:
        found = [tuple(int(number) for number in part.split(":")) for part in text.split(",")]
    except ValueError:
        found = [()]
    if not all(len(one) in {2, 3} and min(one[:2]) > 0 for one in found):
        raise ArgumentTypeError(f"{text!r} is not like 128:4,160:5:4")
    return found


def split(text: str) -> Split:
    try:
        return Split.parsed(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not like parts, all, group:1/5 or cell:15%") from error


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
            "--stages",
            type=numbers,
            default=[],
            help="side:epochs[:frozen blocks] to begin with, like 128:4,160:5:4",
        )
        parser.add_argument(
            "--split",
            type=split,
            default=Split(),
            help="parts (70/15/15 by group, the default), all, or what is held out: group:1/5, "
            "run:1/5, image:1/5, cell:15%%",
        )
        parser.add_argument("--patience", type=int, default=0, help="epochs without a better one")
        parser.add_argument("--body-rate", type=float, default=4e-4)
        parser.add_argument("--layer-decay", type=float, default=1.0)
        parser.add_argument("--smoothing", type=float, default=0.0, help="of the labels")
        parser.add_argument("--mixup", type=float, default=0.0, help="strength, 0 is none")
        parser.add_argument("--bootstrap", type=float, default=0.0, help="share of own belief")
        parser.add_argument("--threads", type=int, default=0, help="0: as PyTorch likes")
        parser.add_argument("--resume", action="store_true", help="go on where the run stopped")

    def handle(self, *, resume: bool, stages: list[tuple[int, ...]], **options: Any) -> None:
        # the command list must be readable where PyTorch is not installed
        try:
            from inference.train import CannotTrain, Recipe, Stage, train  # noqa: PLC0415
        except ImportError as error:
            raise CommandError(f"Training needs `pip install .[train]`: {error}.") from error

        known = {field.name for field in fields(Recipe)}
        chosen = {name: value for name, value in options.items() if name in known}
        recipe = Recipe(stages=tuple(Stage(*one) for one in stages), **chosen)
        try:
            train(recipe, resume=resume, say=self.stdout.write)
        except (CannotTrain, WrongData) as error:
            raise CommandError(str(error)) from error
