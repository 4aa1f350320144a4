"""Cells of a data folder with what a network says of them: what calibration is fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from inference import dataset
from inference.dataset import WrongData
from inference.labels import CellClass
from inference.preprocess import UnreadableImage, preprocess
from inference.runtime import BATCH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.dataset import Cell, Part
    from inference.manifest import Manifest
    from inference.runtime import Network


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """N cells: logits (N, 5), features (N, 1280), the true positions in ``CellClass``, groups."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    truth: NDArray[np.int64]
    groups: tuple[str, ...]

    @classmethod
    def by(cls, network: Network, folder: Path, cells: Sequence[Cell]) -> Self:
        """The answers of a network to cells of a data folder.

        Raises:
            WrongData: a cell's image cannot be read.

        """
        answers = [
            network.answer(np.stack([_pixels(folder, cell) for cell in cells[i : i + BATCH]]))
            for i in range(0, len(cells), BATCH)
        ]
        return cls(
            np.concatenate([one.logits for one in answers]),
            np.concatenate([one.features for one in answers]),
            positions(cells),
            tuple(cell.group for cell in cells),
        )


def parts_of(
    described: Manifest, folder: Path, split: Path | None = None
) -> dict[Part, list[Cell]]:
    """The split a model was trained with: of a file, or drawn from its data again.

    Raises:
        WrongData: it is another one, so that cells would count as unseen that were seen.

    """
    if split is None:
        seed = described.recipe.get("seed")
        parts = dataset.split(dataset.read(folder), seed=seed if isinstance(seed, int) else 0)
    else:
        try:
            parts = dataset.parsed(split.read_text())
        except OSError as error:
            raise WrongData(f"{split} cannot be read: {error.strerror}.") from error
    if dataset.digest(parts) != described.split_digest:
        raise WrongData(
            f"{split or folder} does not give the split that {described.name} was trained with."
        )
    return parts


def positions(cells: Sequence[Cell]) -> NDArray[np.int64]:
    """The class of each cell as its position in ``CellClass``."""
    places = {cell_class: i for i, cell_class in enumerate(CellClass)}
    return np.array([places[cell.cell_class] for cell in cells], dtype=np.int64)


def _pixels(folder: Path, cell: Cell) -> NDArray[np.uint8]:
    try:
        return preprocess(folder / cell.file)
    except UnreadableImage as error:
        raise WrongData(f"{cell.file}: {error}") from error
