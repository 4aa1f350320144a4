"""Crops of the same physical cell that were cut from different microscope pictures.

Crops are compared as small grey squares, in the eight ways a square can be turned and mirrored; a
pair that correlates highly shows one cell twice. Such a pair must be in one group; where its two
labels differ, one of them is wrong, or the cell is between the classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inference.dataset import WrongData
from inference.preprocess import UnreadableImage, preprocess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.dataset import Cell

    Floats = NDArray[np.float32]

SAME = 0.98  # from this correlation on two crops show the same cell
SIDE = 48  # pixels of the squares that are compared; a divisor of what the network sees


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
    """The pairs of crops of different pictures that correlate so highly, the closest first.

    Raises:
        WrongData: a cell's image cannot be read.

    """
    squares = thumbnails(folder, cells)
    images = np.array([cell.image for cell in cells])
    best = np.full((len(cells), len(cells)), -1, dtype=np.float32)
    plain = _standardised(squares)
    for turned in _eight_ways(squares):
        np.maximum(best, plain @ _standardised(turned).T, out=best)
    np.maximum(best, best.T, out=best)
    found = np.argwhere(np.triu(best >= same, k=1) & (images[:, None] != images[None]))
    pairs = [Pair(cells[i], cells[j], float(best[i, j])) for i, j in found]
    return sorted(pairs, key=lambda pair: -pair.correlation)


def thumbnails(folder: Path, cells: Sequence[Cell]) -> Floats:
    """The crops as small grey squares, (N, SIDE, SIDE)."""
    squares = np.empty((len(cells), SIDE, SIDE), dtype=np.float32)
    for i, cell in enumerate(cells):
        try:
            pixels = preprocess(folder / cell.file)
        except UnreadableImage as error:
            raise WrongData(f"{cell.file}: {error}") from error
        step = pixels.shape[0] // SIDE
        grey = pixels.mean(axis=2, dtype=np.float32)
        squares[i] = grey.reshape(SIDE, step, SIDE, step).mean(axis=(1, 3))
    return squares


def _standardised(squares: Floats) -> Floats:
    """Rows of mean zero and length one, whose products are correlations."""
    rows = squares.reshape(len(squares), -1)
    centred = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    scaled: Floats = (centred / np.maximum(lengths, 1e-6)).astype(np.float32)
    return scaled


def _eight_ways(squares: Floats) -> list[Floats]:
    turned = [np.rot90(squares, k, axes=(1, 2)) for k in range(4)]
    return turned + [np.flip(one, axis=2) for one in turned]
