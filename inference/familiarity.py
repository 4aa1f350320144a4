"""How far a picture lies from the cells the network was trained on, by its features. Plain numpy.

The 1,280 features of a picture are scaled to length one; the training cells then lie close to a
flat of few dimensions, their principal directions. The distance from that flat is the residual of
Wang et al., "ViM: Out-Of-Distribution with Virtual-logit Matching", CVPR 2022, arXiv 2203.10807,
on scaled features as in Guan et al., "Revisit PCA-based Technique for Out-of-Distribution
Detection", ICCV 2023. It was chosen by measurement; docs/training.md has the table.

People are told the share of known cells that lie farther out: held-out ones of the same data set.
For a network that learnt from every cell these come from networks of the same recipe that did not,
each measured in units of its own training cells' median distance, for what a network learnt from
lies nearer to its flat than what it did not.

It tells a picture of no such cell, and often a cell of another laboratory. It does not promise to
discover a new kind of cell among well-made crops of the same laboratory.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Self
from zipfile import BadZipFile

import numpy as np

from inference import weights
from inference.weights import WrongWeights

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

WIDTH = 1280  # features of the network
DIRECTIONS = 64
_LEAST = 1e-6  # a distance; networks that answer all pictures alike have none
UNFAMILIAR = 0.05  # farther out than all but this share of known cells


@dataclass(frozen=True, slots=True, eq=False)
class Familiarity:
    """The flat near which known cells lie, and how far from it held-out ones were.

    ``mean`` (F,) and ``directions`` (F, D) are of scaled features; ``distances`` (M,) are sorted.
    """

    mean: Floats
    directions: Floats
    distances: Floats

    @classmethod
    def fit(cls, training: Floats, held_out: Floats, *, directions: int = DIRECTIONS) -> Self:
        """From the features (N, F) of cells trained on, and (M, F) of cells not trained on.

        What is kept is rounded first, so that a model answers before saving as after.
        """
        scaled = _scaled(training).astype(np.float64)
        mean = scaled.mean(axis=0)
        centred = scaled - mean
        _, axes = np.linalg.eigh(centred.T @ centred)
        # as many directions as cells would leave every cell on the flat
        principal = axes[:, ::-1][:, : min(directions, len(training) // 2)]
        # an axis may point either way: its largest part is made positive, on every machine
        signs = np.sign(principal[np.abs(principal).argmax(axis=0), np.arange(principal.shape[1])])
        flat = cls(
            mean.astype(np.float32),
            (principal * signs).astype(np.float16).astype(np.float32),
            np.zeros(0, dtype=np.float32),
        )
        return cls(flat.mean, flat.directions, np.sort(flat.measured(held_out)))

    @classmethod
    def fit_relative(
        cls, training: Floats, relative: Floats, *, directions: int = DIRECTIONS
    ) -> Self:
        """For a network that learnt from every cell, so that none is left to measure it with.

        ``relative`` are distances that ``relative`` measured in networks of the same recipe: how
        much farther out held-out cells lie than is usual of those learnt from. What is usual of
        this network makes them its distances. Give as many training cells as there.
        """
        flat, unit = usual(training, directions=directions)
        return cls(flat.mean, flat.directions, (np.sort(relative) * unit).astype(np.float32))

    def measured(self, features: Floats) -> Floats:
        """The distance of each picture's features (N, F) from the flat; 0 to 2."""
        centred = _scaled(features) - self.mean
        along = centred @ self.directions
        squares = (centred**2).sum(axis=1) - (along**2).sum(axis=1)
        distances: Floats = np.sqrt(np.maximum(squares, 0)).astype(np.float32)
        return distances

    def shares(self, features: Floats) -> list[float]:
        """For each picture the share of known cells that lie farther out, or as far; 1 is usual."""
        nearer = np.searchsorted(self.distances, self.measured(features), side="left")
        return [float(one) for one in 1 - nearer / len(self.distances)]

    def written(self) -> bytes:
        """The content of a file: 170 KB for 1,280 features and 64 directions."""
        target = BytesIO()
        np.savez(
            target,
            mean=self.mean,
            directions=self.directions.astype(np.float16),
            distances=self.distances,
        )
        return target.getvalue()

    @classmethod
    def parsed(cls, content: bytes) -> Self:
        """What ``written`` wrote.

        Raises:
            ValueError: it is something else.

        """
        try:
            with np.load(BytesIO(content), allow_pickle=False) as arrays:
                mean, directions, distances = (
                    arrays[name].astype(np.float32) for name in ("mean", "directions", "distances")
                )
        except (OSError, EOFError, KeyError, BadZipFile, AttributeError) as error:
            raise ValueError("no arrays of familiarity") from error
        shaped = directions.shape[:1] == mean.shape and distances.ndim == 1 and len(distances) > 0
        if not (shaped and all(np.isfinite(each).all() for each in (mean, directions, distances))):
            raise ValueError("arrays of the wrong shape")
        return cls(mean, directions, distances)


def relative(training: Floats, held_out: Floats, *, directions: int = DIRECTIONS) -> Floats:
    """How far held-out cells (M, F) lie from the flat of a network's training cells (N, F).

    In units of what is usual for training cells, so that the distances of several networks can be
    laid beside each other.
    """
    flat, unit = usual(training, directions=directions)
    distances: Floats = flat.measured(held_out) / np.float32(unit)
    return distances


def usual(training: Floats, *, directions: int = DIRECTIONS) -> tuple[Familiarity, float]:
    """The flat of every other training cell, and the median distance from it of the rest.

    The network learnt from both, so the distance is shorter than of cells it did not learn from;
    but the flat was not laid through the cells it is measured with.
    """
    flat = Familiarity.fit(training[::2], training[1::2], directions=directions)
    return flat, max(float(np.median(flat.distances)), _LEAST)


def read(path: Path, digest: str, *, width: int = WIDTH) -> Familiarity:
    """The familiarity of a model's file, for a network of so many features.

    Raises:
        WrongWeights: the file has another digest, or holds something else.

    """
    try:
        known = Familiarity.parsed(weights.read(path, digest))
    except ValueError as error:
        raise WrongWeights(f"{path.name} does not say which cells are familiar.") from error
    if len(known.mean) != width:
        raise WrongWeights(f"{path.name} is of a network with {len(known.mean)} features.")
    return known


def _scaled(features: Floats) -> Floats:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    scaled: Floats = features / np.maximum(lengths, np.float32(1e-12))
    return scaled
