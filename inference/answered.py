"""Cells of a data folder with what a network says of them: what calibration is fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from zipfile import BadZipFile

import numpy as np

from inference import dataset, splits
from inference.dataset import WrongData
from inference.labels import CellClass
from inference.preprocess import UnreadableImage, preprocess
from inference.runtime import BATCH
from inference.splits import Split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.dataset import Cell
    from inference.manifest import Manifest
    from inference.runtime import Network
    from inference.splits import Part


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """N cells: what was answered, and what they are.

    ``logits`` (N, 5), ``features`` (N, 1280), ``truth`` as positions in ``CellClass`` (N,).
    ``folds`` number the network that answered each cell, where several did; empty where one did.
    """

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    truth: NDArray[np.int64]
    groups: tuple[str, ...]
    files: tuple[str, ...]
    folds: tuple[int, ...] = ()

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
        return cls.of(
            cells,
            np.concatenate([one.logits for one in answers]),
            np.concatenate([one.features for one in answers]),
        )

    @classmethod
    def of(
        cls, cells: Sequence[Cell], logits: NDArray[np.float32], features: NDArray[np.float32]
    ) -> Self:
        """Answers to cells, in their order."""
        groups, files = tuple(cell.group for cell in cells), tuple(cell.file for cell in cells)
        return cls(logits, features, positions(cells), groups, files)

    def write(self, path: Path) -> None:
        """Keep the answers in a file, features rounded to half precision; 3 KB a cell."""
        np.savez_compressed(
            path,
            logits=self.logits,
            features=self.features.astype(np.float16),
            truth=self.truth,
            groups=np.array(self.groups),
            files=np.array(self.files),
            folds=np.array(self.folds, dtype=np.int64),
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """What ``write`` kept.

        Raises:
            WrongData: the file is missing, or something else.

        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(
                    arrays["logits"],
                    arrays["features"].astype(np.float32),
                    arrays["truth"],
                    tuple(arrays["groups"].tolist()),
                    tuple(arrays["files"].tolist()),
                    tuple(arrays["folds"].tolist()) if "folds" in arrays else (),
                )
        except (OSError, EOFError, ValueError, KeyError, BadZipFile, AttributeError) as error:
            raise WrongData(f"{path} does not hold a network's answers.") from error

    @classmethod
    def together(cls, several: Sequence[Self]) -> Self:
        """The cells of several networks' answers as one, in the order of their files."""
        files = [file for one in several for file in one.files]
        folds = [fold for fold, one in enumerate(several) for _ in one.files]
        order = np.argsort(files)
        groups = [group for one in several for group in one.groups]
        return cls(
            np.concatenate([one.logits for one in several])[order],
            np.concatenate([one.features for one in several])[order],
            np.concatenate([one.truth for one in several])[order],
            tuple(groups[i] for i in order),
            tuple(files[i] for i in order),
            tuple(folds[i] for i in order),
        )

    def of_cells(self, cells: Sequence[Cell]) -> Self:
        """The same answers in the order of these cells, which must be the ones that were asked.

        Raises:
            WrongData: cells are missing or more, or have another class or group.

        """
        places = {file: i for i, file in enumerate(self.files)}
        missing = [cell.file for cell in cells if cell.file not in places]
        more = len(self.files) - (len(cells) - len(missing))
        if missing or more or len(places) < len(self.files):
            raise WrongData(
                f"The answers are to other cells than these: {len(missing)} are missing"
                f"{f', {missing[0]} for one' if missing else ''}, and {more} are more."
            )
        order = np.array([places[cell.file] for cell in cells], dtype=np.int64)
        for cell, place, truth in zip(cells, order, positions(cells), strict=True):
            if self.groups[place] != cell.group or self.truth[place] != truth:
                raise WrongData(f"{cell.file} was of another class or group when it was answered.")
        return self.chosen(order)

    def chosen(self, places: NDArray[np.integer]) -> Self:
        """The answers at these places."""
        kept = places.tolist()
        return type(self)(
            self.logits[places],
            self.features[places],
            self.truth[places],
            tuple(self.groups[i] for i in kept),
            tuple(self.files[i] for i in kept),
            tuple(self.folds[i] for i in kept) if self.folds else (),
        )


def parts_of(
    described: Manifest, folder: Path, split: Path | None = None
) -> dict[Part, list[Cell]]:
    """The split a model was trained with: of a file, or drawn from its data again.

    Raises:
        WrongData: it is another one, so that cells would count as unseen that were seen.

    """
    if split is None:
        seed = described.recipe.get("split_seed", described.recipe.get("seed"))
        noted = Split.parsed(str(described.recipe.get("split", "parts")))
        parts = noted.of(dataset.read(folder), seed=seed if isinstance(seed, int) else 0)
    else:
        parts = splits.read(split)
    if splits.digest(parts) != described.split_digest:
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
