"""SIPaKMeD on disk: its folders, and which of its cells belong together.

Plissiti et al., "SIPAKMED: A new dataset for feature and image based classification of normal and
pathological cervical cells in Pap smear images", ICIP 2018, doi 10.1109/ICIP.2018.8451588.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.labels import CellClass

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SUFFIXES = {".bmp", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}
RUN = 10  # consecutive microscope pictures of a class, which are likely to share a slide


class WrongData(Exception):
    """A folder that does not hold what training needs; its text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One labelled crop: its file relative to the data folder, its class, and where it comes from.

    ``image`` is the microscope picture it was cut from. Cells of a ``group`` show the same physical
    cells or come from the same microscope picture, so a group never lies on both sides of a split.
    A ``run`` is ten consecutive microscope pictures of a class: a guess at the slide, which the
    published set does not name.
    """

    file: str
    cell_class: CellClass
    group: str
    image: str = ""
    run: str = ""


def read(folder: Path) -> list[Cell]:
    """The labelled cells of a data folder, by class and file name.

    Two layouts are known: ``im_<Class>/<image>_<cell>.jpg`` and, as published,
    ``im_<Class>/im_<Class>/CROPPED/<image>_<cell>.bmp``. Where ``cells.csv`` lies beside them, it
    names the group of each file, and may name its ``source_image`` and its ``run``; where not, a
    group is the microscope picture in the file's name.

    Raises:
        WrongData: no such folder, a class without images, or an image without a group.

    """
    if not folder.is_dir():
        raise WrongData(f"There is no folder {folder}.")
    listed = _listed(folder / "cells.csv")
    cells = []
    for cell_class in CellClass:
        paths = _images(folder, f"im_{cell_class.value}")
        if not paths:
            raise WrongData(f"{folder} holds no images in im_{cell_class.value}.")
        for path in paths:
            file = path.relative_to(folder).as_posix()
            if listed and file not in listed:
                raise WrongData(f"{file} is not listed in cells.csv.")
            cells.append(_cell(file, cell_class, path.stem, listed.get(file, {})))
    return cells


def _images(folder: Path, name: str) -> list[Path]:
    published = folder / name / name / "CROPPED"
    place = published if published.is_dir() else folder / name
    if not place.is_dir():
        return []
    return sorted(path for path in place.iterdir() if path.suffix.lower() in SUFFIXES)


def _listed(path: Path) -> dict[str, dict[str, str]]:
    if not path.exists():
        return {}
    with path.open(newline="") as lines:
        return {row["file"]: row for row in csv.DictReader(lines)}


def _cell(file: str, cell_class: CellClass, stem: str, row: dict[str, str]) -> Cell:
    """A cell with what the list says of it, and what its name says where the list is silent."""
    number = row.get("source_image") or stem.split("_", maxsplit=1)[0]
    image = f"{cell_class.value}-{number}"
    run = row.get("run") or (
        f"{cell_class.value}-run-{int(number) // RUN:02}" if number.isdecimal() else image
    )
    return Cell(file, cell_class, row.get("group") or image, image, run)


def counts(cells: Iterable[Cell]) -> dict[str, int]:
    """Cells of each class, in the order of the classes."""
    counted = Counter(cell.cell_class for cell in cells)
    return {cell_class.value: counted[cell_class] for cell_class in CellClass}
