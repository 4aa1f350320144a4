"""The options of a training, for the commands that train once or once a fold."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.management.options import positive
from inference.recipe import Recipe, Stage
from inference.splits import Split

if TYPE_CHECKING:
    from argparse import ArgumentParser


def stage_numbers(text: str) -> list[tuple[int, ...]]:
    """``128:4,160:5:4`` as sides in pixels, epochs and, if any, frozen blocks."""
    try:
        found = [tuple(int(number) for number in part.split(":")) for part in text.split(",")]
    except ValueError:
        found = [()]
    if not all(len(one) in {2, 3} and min(one[:2]) > 0 for one in found):
        raise ArgumentTypeError(f"{text!r} is not like 128:4,160:5:4")
    return found


def split_option(text: str) -> Split:
    try:
        return Split.parsed(text)
    except ValueError as error:
        raise ArgumentTypeError(
            f"{text!r} is not like parts, all, group:1/5 or cell:15%"
        ) from error


def add_to(parser: ArgumentParser) -> None:
    """What every training can be told."""
    parser.add_argument("--data", type=Path, required=True, help="folder with im_<Class>/")
    parser.add_argument("--out", type=Path, required=True, help="folder of this run")
    parser.add_argument("--epochs", type=positive, default=50)
    parser.add_argument("--batch-size", type=positive, default=32)
    parser.add_argument(
        "--init", default="imagenet", help="imagenet (downloaded), scratch, or a .safetensors"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split-seed", type=int, help="of the split alone; --seed if none")
    parser.add_argument(
        "--stages",
        type=stage_numbers,
        default=[],
        help="side:epochs[:frozen blocks] to begin with, like 128:4,160:5:4",
    )
    parser.add_argument("--body-rate", type=float, default=4e-4)
    parser.add_argument("--layer-decay", type=float, default=1.0)
    parser.add_argument("--smoothing", type=float, default=0.0, help="of the labels")
    parser.add_argument("--mixup", type=float, default=0.0, help="strength, 0 is none")
    parser.add_argument("--bootstrap", type=float, default=0.0, help="share of own belief")
    parser.add_argument("--threads", type=int, default=0, help="0: as PyTorch likes")


def recipe(*, stages: list[tuple[int, ...]], **options: object) -> Recipe:
    """The recipe of parsed options; those that are none of its fields are passed over."""
    known = {field.name for field in fields(Recipe)}
    chosen: dict[str, Any] = {name: value for name, value in options.items() if name in known}
    return Recipe(stages=tuple(Stage(*one) for one in stages), **chosen)
