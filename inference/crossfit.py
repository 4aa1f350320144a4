"""Predictions of cells that no part of the model has seen: neither its weights nor its calibration.

The logits are of networks that did not learn from the cell (``answered``, out of fold). Temperature
and sets are fitted on the cells of the other folds, and no group of the judged fold is among them;
so what is measured on these predictions is not flattered by what was fitted. Where the answers are
of one network, the cells are dealt to five folds here, by group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inference import calibration
from inference.calibration import LEVEL, Calibration, softmax
from inference.classifier import Prediction
from inference.familiarity import UNFAMILIAR
from inference.splits import FOLDS

if TYPE_CHECKING:
    from inference.answered import Answered
    from inference.calibration import Floats
    from inference.familiarity import Floats as Distances


@dataclass(frozen=True, slots=True, eq=False)
class CrossFitted:
    """N predictions, each by a calibration that did not see its cell; ``before`` without one.

    ``fitted`` are the calibrations by fold; ``empty`` counts the sets that were empty before the
    likeliest class was put into them.
    """

    predictions: list[Prediction]
    before: Floats
    fitted: list[Calibration]
    empty: int


def cross_fitted(answered: Answered, *, level: float = LEVEL, seed: int = 1) -> CrossFitted:
    """Judge the cells of every fold by a calibration of the others.

    Raises:
        CannotCalibrate: too few groups are left for the level.

    """
    folds = folds_of(answered, seed=seed)
    groups = np.asarray(answered.groups)
    predictions: list[Prediction | None] = [None] * len(groups)
    fitted = []
    empty = 0
    for fold in np.unique(folds):
        asked = folds == fold
        fitting = ~asked & ~np.isin(groups, groups[asked])
        one = calibration.fit(
            answered.logits[fitting],
            answered.truth[fitting],
            groups[fitting].tolist(),
            source="the other folds",
            level=level,
        )
        fitted.append(one)
        rows = one.probabilities(answered.logits[asked]).tolist()
        for place, row in zip(np.flatnonzero(asked), rows, strict=True):
            found = one.prediction_set(row)
            empty += not found
            bare = Prediction(tuple(row))
            predictions[place] = Prediction(
                bare.probabilities,
                prediction_set=found or (bare.cell_class,),
                reasons=() if len(found) == 1 else (f"The set holds {len(found)} classes.",),
            )
    return CrossFitted(
        [one for one in predictions if one is not None], softmax(answered.logits), fitted, empty
    )


def folds_of(answered: Answered, *, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The fold of each cell: that of its network, or one dealt by group where one network answered.

    A group is never in two of the folds dealt here.
    """
    if len(set(answered.folds)) > 1:
        return np.asarray(answered.folds, dtype=np.int64)
    names, places = np.unique(np.asarray(answered.groups), return_inverse=True)
    dealt = np.random.default_rng(seed).permutation(len(names)) % FOLDS
    return dealt[places].astype(np.int64)


def kept_as_familiar(
    distances: Distances, folds: tuple[int, ...], unfamiliar: float = UNFAMILIAR
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether each held-out cell counts as familiar by what the other folds' cells lie like.

    ``distances`` are relative, each by the network of its fold. The answer is what
    ``Familiarity.shares`` would give, with no cell compared to its own fold.
    """
    numbers = np.asarray(folds)
    kept = np.zeros(len(numbers), dtype=bool)
    for fold in np.unique(numbers):
        others = np.sort(distances[numbers != fold])
        own = distances[numbers == fold]
        nearer = np.searchsorted(others, own, side="left")
        kept[numbers == fold] = 1 - nearer / len(others) >= unfamiliar
    return kept
