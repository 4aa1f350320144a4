"""Labels to look at again: cells whose class the networks out of fold hold for another's.

Confident learning: Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in
Dataset Labels", JAIR 70, 2021, arXiv 1911.00068, by cleanlab. A list for a person to look through;
nothing is dropped or relabelled by it, for a hard cell looks like a wrong label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inference.crossfit import cross_fitted
from inference.labels import CellClass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.answered import Answered
    from inference.crossfit import CrossFitted


@dataclass(frozen=True, slots=True)
class Doubt:
    """A cell, its label, what it looks like instead, and how likely the label is (0 to 1)."""

    file: str
    label: CellClass
    suggested: CellClass
    label_probability: float
    suggested_probability: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the prediction sets of some cells fare: the label in them, their mean size, accuracy."""

    cells: int
    covered: float
    mean_size: float
    right: float


def doubts(answered: Answered, crossed: CrossFitted | None = None) -> list[Doubt]:
    """The cells whose label is doubtful, the most doubtful first."""
    # it belongs to the extra `train`
    from cleanlab.filter import find_label_issues  # type: ignore[import-untyped]  # noqa: PLC0415

    crossed = crossed or cross_fitted(answered)
    probabilities = np.array([one.probabilities for one in crossed.predictions])
    ranked = find_label_issues(
        labels=answered.truth,
        pred_probs=probabilities,
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    classes = list(CellClass)
    return [
        Doubt(
            answered.files[place],
            classes[answered.truth[place]],
            classes[probabilities[place].argmax()],
            float(probabilities[place, answered.truth[place]]),
            float(probabilities[place].max()),
        )
        for place in ranked
    ]


def coverage(answered: Answered, crossed: CrossFitted, found: list[Doubt]) -> dict[str, Coverage]:
    """The sets of all cells, of doubtful ones and of the others.

    Where a label is wrong, a set that covers it does not cover the truth.
    """
    doubtful = np.isin(np.asarray(answered.files), [one.file for one in found])
    classes = list(CellClass)
    held = np.array(
        [
            classes[place] in one.prediction_set
            for place, one in zip(answered.truth, crossed.predictions, strict=True)
        ]
    )
    sizes = np.array([len(one.prediction_set) for one in crossed.predictions])
    right = answered.logits.argmax(axis=1) == answered.truth

    def of(cells: NDArray[np.bool_]) -> Coverage:
        means = (float(each[cells].mean()) for each in (held, sizes, right))
        return Coverage(int(cells.sum()), *means)

    parts = {"all cells": doubtful | True, "label doubted": doubtful, "not doubted": ~doubtful}
    return {name: of(cells) for name, cells in parts.items() if cells.any()}
