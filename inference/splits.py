"""Who is learnt from and who is asked: splits in parts and in folds, what belongs together kept so.

Cells of a group (the same physical cells, or one microscope picture) never lie on both sides of a
border, but for splits by cell and by picture, which are there to show what such a leak is worth.
"""

from __future__ import annotations

import csv
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from typing import TYPE_CHECKING, Literal, Self, TypeVar, get_args

from inference.dataset import Cell, WrongData
from inference.labels import CellClass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Part = Literal["train", "validation", "test"]
Unit = Literal["cell", "image", "group", "run"]
SHARES: dict[Part, float] = {"train": 0.70, "validation": 0.15, "test": 0.15}
FOLDS = 5
COLUMNS = ("file", "cell_class", "group", "image", "run", "part")
_DECIDING = ("file", "cell_class", "group", "part")  # what a split's digest is taken of

Name = TypeVar("Name", Part, int)


@dataclass(frozen=True, slots=True)
class Split:
    """Which split a training asks for; written ``parts``, ``all``, ``group:2/5`` or ``cell:15%``.

    ``parts`` is 70/15/15 by group, with a validation part that chooses the epoch. ``all`` learns
    from every cell. The others hold out one fold of several, or one share, by a unit, and have no
    validation part: the recipe must have been chosen before.
    """

    unit: Unit | None = None
    fold: int = 0
    folds: int = 0
    share: float = 0.0
    everything: bool = False

    @classmethod
    def parsed(cls, text: str) -> Self:
        """What ``str`` wrote.

        Raises:
            ValueError: the text is something else.

        """
        if text in {"parts", "all"}:
            return cls(everything=text == "all")
        unit, _, which = text.partition(":")
        if unit not in get_args(Unit):
            raise ValueError(f"{text} is not parts, all, group:1/5 or cell:15%")
        if which.endswith("%"):
            share = float(which.removesuffix("%")) / 100
            if not 0 < share < 1:
                raise ValueError(f"{which} is not a share between 0 % and 100 %")
            return cls(unit=unit, share=share)  # type: ignore[arg-type] # it is one of the units
        fold, _, folds = which.partition("/")
        if not 1 <= int(fold) <= int(folds or FOLDS):
            raise ValueError(f"{which} is not a fold, counted from 1")
        return cls(unit=unit, fold=int(fold), folds=int(folds or FOLDS))  # type: ignore[arg-type]

    def __str__(self) -> str:
        if self.unit is None:
            return "all" if self.everything else "parts"
        which = f"{self.share:.0%}" if self.share else f"{self.fold}/{self.folds}"
        return f"{self.unit}:{which}"

    def of(self, cells: Sequence[Cell], *, seed: int) -> dict[Part, list[Cell]]:
        """Divide cells; without the parts that this split does not have.

        Raises:
            WrongData: there are too few cells or groups to divide.

        """
        if self.everything:
            return {"train": sorted(cells, key=lambda cell: cell.file)}
        if self.unit is None:
            return split(cells, seed=seed)
        if self.share:
            shares: dict[Part, float] = {"train": 1 - self.share, "test": self.share}
            dealt = _dealt(cells, self.unit, shares, seed=seed)
            return _apart(dealt["train"], dealt["test"], self.unit)
        every = folds(cells, self.unit, count=self.folds, seed=seed)
        held_out = every.pop(self.fold - 1)
        return _apart([cell for fold in every for cell in fold], held_out, self.unit)


def split(cells: Sequence[Cell], *, seed: int) -> dict[Part, list[Cell]]:
    """Divide cells 70/15/15 into train, validation and test, whole groups at a time."""
    parts = _dealt(cells, "group", SHARES, seed=seed)
    check(parts)
    return parts


def folds(cells: Sequence[Cell], unit: Unit, *, count: int, seed: int) -> list[list[Cell]]:
    """Divide cells into folds, whole units at a time; each cell is in one of them.

    Raises:
        WrongData: a fold would be empty.

    """
    dealt = _dealt(cells, unit, dict.fromkeys(range(count), 1 / count), seed=seed)
    if not all(dealt.values()):
        raise WrongData(f"There are too few units of kind {unit} for {count} folds.")
    return list(dealt.values())


def _apart(learnt: list[Cell], asked: list[Cell], unit: Unit) -> dict[Part, list[Cell]]:
    """The two parts of a split that holds out.

    A group that reaches from run to run is not learnt from where any of it is asked. A split by
    cell or by picture is left as it leaks, for comparison.
    """
    asked_groups = {cell.group for cell in asked}
    if unit in {"group", "run"}:
        learnt = [cell for cell in learnt if cell.group not in asked_groups]
    parts: dict[Part, list[Cell]] = {
        "train": sorted(learnt, key=lambda cell: cell.file),
        "test": asked,
    }
    check(parts, leaking=unit in {"cell", "image"})
    return parts


def _dealt(
    cells: Sequence[Cell], unit: Unit, shares: Mapping[Name, float], *, seed: int
) -> dict[Name, list[Cell]]:
    """Deal whole units in a seeded random order.

    Each goes to where it brings the number of cells of every class nearest to its share.
    """
    units: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        units[cell.file if unit == "cell" else getattr(cell, unit)].append(cell)
    totals = Counter(cell.cell_class for cell in cells)
    names = sorted(units)
    random.Random(seed).shuffle(names)  # noqa: S311 -- a split is drawn, not kept secret
    dealt: dict[Name, Counter[CellClass]] = {part: Counter() for part in shares}
    parts: dict[Name, list[Cell]] = {part: [] for part in shares}

    def strain(part: Name, coming: Counter[CellClass]) -> float:
        """How much further from its shares a part would be with these cells than without."""
        result = 0.0
        for cell_class, count in coming.items():
            target = shares[part] * totals[cell_class]
            had = dealt[part][cell_class]
            result += ((had + count - target) ** 2 - (had - target) ** 2) / target
        return result

    for name in names:
        coming = Counter(cell.cell_class for cell in units[name])
        best = min(shares, key=lambda part: strain(part, coming))
        dealt[best].update(coming)
        parts[best].extend(units[name])
    for part in parts.values():
        part.sort(key=lambda cell: cell.file)
    return parts


def check(parts: dict[Part, list[Cell]], *, leaking: bool = False) -> None:
    """Refuse a split with an empty part or, unless it may leak, a group across a border.

    Raises:
        WrongData: says which.

    """
    groups: dict[str, Part] = {}
    files: dict[str, Part] = {}
    for part, cells in parts.items():
        if not cells:
            raise WrongData(f"The {part} part is empty: too few groups to divide.")
        for cell in cells:
            if files.setdefault(cell.file, part) != part:
                raise WrongData(f"{cell.file} is in {files[cell.file]} and in {part}.")
            if not leaking and groups.setdefault(cell.group, part) != part:
                raise WrongData(f"Group {cell.group} is in {groups[cell.group]} and in {part}.")


def written(parts: dict[Part, list[Cell]], columns: Sequence[str] = COLUMNS) -> str:
    """A split as CSV: file, cell_class, group, image, run, part."""
    text = StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for part, cells in parts.items():
        for cell in cells:
            row = {name: getattr(cell, name) for name in COLUMNS[:-1]}
            writer.writerow(row | {"cell_class": cell.cell_class.value, "part": part})
    return text.getvalue()


def parsed(text: str, *, leaking: bool = False) -> dict[Part, list[Cell]]:
    """The split that ``written`` wrote, checked again.

    Raises:
        WrongData: the text is no split, or not a valid one.

    """
    parts: dict[Part, list[Cell]] = {}
    try:
        for row in csv.DictReader(text.splitlines()):
            cell_class = CellClass(row["cell_class"])
            cell = Cell(
                row["file"], cell_class, row["group"], row.get("image", ""), row.get("run", "")
            )
            if row["part"] not in get_args(Part):
                raise WrongData(f"There is no part {row['part']}.")
            parts.setdefault(row["part"], []).append(cell)  # type: ignore[arg-type] # just checked
    except (KeyError, ValueError) as error:
        raise WrongData("This is not a split: file, cell_class, group, part.") from error
    if not parts:
        raise WrongData("This is not a split: it has no cells.")
    check(parts, leaking=leaking)
    return parts


def digest(parts: dict[Part, list[Cell]]) -> str:
    """The SHA-256 that names a split in a model's manifest: of files, classes, groups and parts."""
    return sha256(written(parts, _DECIDING).encode()).hexdigest()


def read(path: Path) -> dict[Part, list[Cell]]:
    """A split from a file, group borders checked.

    Raises:
        WrongData: the file cannot be read, or holds no valid split.

    """
    try:
        return parsed(path.read_text())
    except OSError as error:
        raise WrongData(f"{path} cannot be read: {error.strerror}.") from error


def borders(parts: dict[Part, list[Cell]]) -> dict[Unit, int]:
    """How many groups, pictures and runs lie on both sides of a border: what a split leaks."""
    crossing: dict[Unit, int] = {}
    for unit in ("group", "image", "run"):
        sides: dict[str, set[Part]] = defaultdict(set)
        for part, cells in parts.items():
            for cell in cells:
                sides[getattr(cell, unit)].add(part)
        crossing[unit] = sum(len(parts_of_it) > 1 for parts_of_it in sides.values())
    return crossing
