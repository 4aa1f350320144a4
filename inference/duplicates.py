"""Crops of the same physical cell that were cut from different microscope pictures.

Pairs that look alike as small squares are laid over each other at one scale, the middle of the
larger slid over the smaller, for a cell is seldom cut out twice in the same way. Where the best
place correlates highly, both show one cell. Such a pair must be in one group; where its two labels
differ, one of them is wrong, or the cell is between the classes.

Turned and mirrored copies are not looked for: one microscope photographs a slide one way up, and
looking for them found one pair more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from inference.dataset import WrongData

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.dataset import Cell

    Floats = NDArray[np.float32]

SAME = 0.975  # from this correlation on two crops show the same cell
ALIKE = 0.82  # as small squares, to be looked at closely
SQUARE = 16  # pixels of the small squares
SHRUNK = 3  # pixels of a crop that become one before it is slid
MIDDLE = 0.7  # share of the larger crop's sides that is slid over the smaller
_FIT = 0.95  # share of the smaller crop that may be covered at most, so that there is room to slide


@dataclass(frozen=True, slots=True)
class Pair:
    """Two crops of different pictures that look the same."""

    first: Cell
    second: Cell
    correlation: float

    @property
    def contradictory(self) -> bool:
        """Whether the same cell has two labels."""
        return self.first.cell_class != self.second.cell_class

    @property
    def apart(self) -> bool:
        """Whether a split by group could ask about the one after learning from the other."""
        return self.first.group != self.second.group


def near_duplicates(folder: Path, cells: Sequence[Cell], same: float = SAME) -> list[Pair]:
    """The pairs of crops of different pictures that show the same cell, the closest first.

    Raises:
        WrongData: a cell's image cannot be read.

    """
    crops, squares = [], np.empty((len(cells), SQUARE, SQUARE), dtype=np.float32)
    for i, cell in enumerate(cells):
        crop, squares[i] = _grey(folder, cell)
        crops.append(crop)
    found = []
    for i, j in _alike(squares, np.array([cell.image for cell in cells])):
        large, small = (i, j) if crops[i].size >= crops[j].size else (j, i)
        correlation = slid(crops[large], crops[small])
        if correlation >= same:
            found.append(Pair(cells[i], cells[j], correlation))
    return sorted(found, key=lambda pair: -pair.correlation)


def _grey(folder: Path, cell: Cell) -> tuple[Floats, Floats]:
    """A crop in grey: shrunk, and as a small square."""
    try:
        with Image.open(folder / cell.file) as image:
            grey = image.convert("L")
    except OSError as error:
        raise WrongData(f"{cell.file}: the image cannot be read.") from error
    size = (max(4, round(grey.width / SHRUNK)), max(4, round(grey.height / SHRUNK)))
    shrunk, square = (
        np.asarray(grey.resize(to, Image.Resampling.BOX), dtype=np.float32)
        for to in (size, (SQUARE, SQUARE))
    )
    return shrunk, square


def _alike(squares: Floats, images: NDArray[np.str_]) -> list[tuple[int, int]]:
    """The pairs of different pictures whose small squares correlate."""
    rows = squares.reshape(len(squares), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    close = np.triu(rows @ rows.T >= ALIKE, k=1) & (images[:, None] != images[None])
    return [(int(i), int(j)) for i, j in np.argwhere(close)]


def slid(large: Floats, small: Floats) -> float:
    """The highest correlation of the middle of one crop with any place of the other (-1 to 1)."""
    height, width = (
        max(2, int(min(one * MIDDLE, other * _FIT)))
        for one, other in zip(large.shape, small.shape, strict=True)
    )
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    middle = large[top : top + height, left : left + width].astype(np.float64)
    middle = middle - middle.mean()
    transformed = np.fft.rfft2(small) * np.conj(np.fft.rfft2(middle, small.shape))
    products = np.fft.irfft2(transformed, small.shape)
    products = products[: small.shape[0] - height + 1, : small.shape[1] - width + 1]
    plain = small.astype(np.float64)
    sums = _boxes(plain, height, width)
    squares = _boxes(plain**2, height, width) - sums**2 / (height * width)
    lengths = np.linalg.norm(middle) * np.sqrt(np.maximum(squares, 1e-6))
    return float((products / np.maximum(lengths, 1e-6)).max())


def _boxes(values: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """The sum of every window of this size."""
    total = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    boxes: NDArray[np.float64] = (
        total[height:, width:]
        - total[:-height, width:]
        - total[height:, :-width]
        + total[:-height, :-width]
    )
    return boxes
