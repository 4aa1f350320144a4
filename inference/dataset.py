"""SIPaKMeD on disk: its folders, its groups of cells that belong together, and splits by group.

Plissiti et al., "SIPAKMED: A new dataset for feature and image based classification of normal and
pathological cervical cells in Pap smear images", ICIP 2018, doi 10.1109/ICIP.2018.8451588.
"""

from __future__ import annotations

import csv
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from typing import TYPE_CHECKING, Literal, get_args

from inference.labels import CellClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Part = Literal["train", "validation", "test"]
SHARES: dict[Part, float] = {"train": 0.70, "validation": 0.15, "test": 0.15}
SUFFIXES = {".bmp", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}


class WrongData(Exception):
    """A folder that does not hold what training needs; its text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One labelled crop: its file relative to the data folder, class, and group.

    Cells of a group show the same physical cells or come from the same microscope picture, so a
    group never lies on both sides of a split.
    """

    file: str
    cell_class: CellClass
    group: str


def read(folder: Path) -> list[Cell]:
    """The labelled cells of a data folder, by class and file name.

    Two layouts are known: ``im_<Class>/<image>_<cell>.jpg`` and, as published,
    ``im_<Class>/im_<Class>/CROPPED/<image>_<cell>.bmp``. Where ``cells.csv`` lies beside them, it
    names the group of each file; where not, a group is the microscope picture in the file's name.

    Raises:
        WrongData: no such folder, a class without images, or an image without a group.

    """
    if not folder.is_dir():
        raise WrongData(f"There is no folder {folder}.")
    listed = _listed_groups(folder / "cells.csv")
    cells = []
    for cell_class in CellClass:
        paths = _images(folder, f"im_{cell_class.value}")
        if not paths:
            raise WrongData(f"{folder} holds no images in im_{cell_class.value}.")
        for path in paths:
            file = path.relative_to(folder).as_posix()
            if listed and file not in listed:
                raise WrongData(f"{file} is not listed in cells.csv.")
            group = listed.get(file) or f"{cell_class.value}-{path.stem.split('_')[0]}"
            cells.append(Cell(file, cell_class, group))
    return cells


def _images(folder: Path, name: str) -> list[Path]:
    published = folder / name / name / "CROPPED"
    place = published if published.is_dir() else folder / name
    if not place.is_dir():
        return []
    return sorted(path for path in place.iterdir() if path.suffix.lower() in SUFFIXES)


def _listed_groups(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    with path.open(newline="") as lines:
        return {row["file"]: row["group"] for row in csv.DictReader(lines)}


def split(cells: Sequence[Cell], *, seed: int) -> dict[Part, list[Cell]]:
    """Divide cells 70/15/15 into train, validation and test, whole groups at a time.

    Groups are dealt in a seeded random order, each to the part where it brings the number of cells
    of every class nearest to its share.
    """
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.group].append(cell)
    totals = Counter(cell.cell_class for cell in cells)
    names = sorted(groups)
    random.Random(seed).shuffle(names)  # noqa: S311 -- a split is drawn, not kept secret
    dealt: dict[Part, Counter[CellClass]] = {part: Counter() for part in SHARES}
    parts: dict[Part, list[Cell]] = {part: [] for part in SHARES}

    def strain(part: Part, coming: Counter[CellClass]) -> float:
        """How much further from its shares a part would be with these cells than without."""
        result = 0.0
        for cell_class, count in coming.items():
            target = SHARES[part] * totals[cell_class]
            had = dealt[part][cell_class]
            result += ((had + count - target) ** 2 - (had - target) ** 2) / target
        return result

    for name in names:
        coming = Counter(cell.cell_class for cell in groups[name])
        best = min(SHARES, key=lambda part: strain(part, coming))
        dealt[best].update(coming)
        parts[best].extend(groups[name])
    for part in parts.values():
        part.sort(key=lambda cell: cell.file)
    check(parts)
    return parts


def check(parts: dict[Part, list[Cell]]) -> None:
    """Refuse a split with an empty part or a group on both sides of a border.

    Raises:
        WrongData: says which.

    """
    seen: dict[str, Part] = {}
    for part, cells in parts.items():
        if not cells:
            raise WrongData(f"The {part} part is empty: too few groups to divide.")
        for cell in cells:
            if seen.setdefault(cell.group, part) != part:
                raise WrongData(f"Group {cell.group} is in {seen[cell.group]} and in {part}.")


def written(parts: dict[Part, list[Cell]]) -> str:
    """A split as CSV: file, cell_class, group, part."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "cell_class", "group", "part"])
    for part, cells in parts.items():
        writer.writerows([cell.file, cell.cell_class.value, cell.group, part] for cell in cells)
    return text.getvalue()


def parsed(text: str) -> dict[Part, list[Cell]]:
    """The split that ``written`` wrote, checked again.

    Raises:
        WrongData: the text is no split, or not a valid one.

    """
    parts: dict[Part, list[Cell]] = {part: [] for part in get_args(Part)}
    try:
        for row in csv.DictReader(text.splitlines()):
            cell = Cell(row["file"], CellClass(row["cell_class"]), row["group"])
            parts[row["part"]].append(cell)  # type: ignore[index] # a wrong part raises KeyError
    except (KeyError, ValueError) as error:
        raise WrongData("This is not a split: file, cell_class, group, part.") from error
    check(parts)
    return parts


def digest(parts: dict[Part, list[Cell]]) -> str:
    """The SHA-256 of a split as written, which names it in a model's manifest."""
    return sha256(written(parts).encode()).hexdigest()


def counts(cells: Iterable[Cell]) -> dict[str, int]:
    """Cells of each class, in the order of the classes."""
    counted = Counter(cell.cell_class for cell in cells)
    return {cell_class.value: counted[cell_class] for cell_class in CellClass}
