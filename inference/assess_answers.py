"""All that is measured of a recipe on answers out of fold: every labelled cell, asked once.

What ``inference.assess`` measures of one model on its test part, here of the networks of a cross
validation, or of a baseline, on all cells. Calibration and sets are cross-fitted, every interval is
95 % and bootstrapped by group, or by run where the folds were runs.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from inference import assess, calibration
from inference.assess import MOST_CERTAIN, SIDES, Assessed, draws
from inference.calibration import LEVEL
from inference.classifier import Prediction
from inference.crossfit import cross_fitted, kept_as_familiar
from inference.dataset import WrongData
from inference.evaluate import Figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from inference.answered import Answered
    from inference.assess import Json
    from inference.calibration import Floats
    from inference.classifier import Classifier
    from inference.familiarity import Floats as Distances
    from inference.preprocess import Source


def assess_answers(
    answered: Answered, units: Sequence[str], *, level: float = LEVEL, seed: int = 1
) -> Json:
    """Everything measured of answers; ``units`` are what is drawn for the intervals.

    Raises:
        CannotCalibrate: too few groups for the level.

    """
    crossed = cross_fitted(answered, level=level, seed=seed)
    assessed = Assessed.from_predictions(answered.truth, units, crossed.predictions)
    drawn = draws(int(assessed.groups.max()) + 1, seed)
    held = assess.held(assessed)
    sizes = np.array([len(one.prediction_set) for one in assessed.predictions])
    return {
        "cells": len(answered.truth),
        "groups": len(set(answered.groups)),
        "drawn_units": int(assessed.groups.max()) + 1,
        "folds": len(set(answered.folds)) or 1,
        "figures": asdict(Figures.of(assessed.truth.tolist(), assessed.called.tolist())),
        "intervals": assess.intervals(assessed, seed),
        "abnormal": assess.abnormal(assessed, seed),
        "calibration": assess.reliability(crossed.before, assessed.probabilities, assessed.truth)
        | {
            "temperatures": [one.temperature for one in crossed.fitted],
            "error_interval": error_interval(assessed, drawn),
        },
        "selective": assess.selective(assessed) | {"interval": selective_interval(assessed, drawn)},
        "sets": {
            "level": level,
            "thresholds": [one.threshold for one in crossed.fitted],
            **assess.covered(assessed),
            "coverage_interval": interval_of_mean(held, assessed.groups, drawn),
            "size_interval": interval_of_mean(sizes, assessed.groups, drawn),
            "empty": crossed.empty,
        },
        "abstention": stood_by(assessed),
    }


def stood_by(assessed: Assessed) -> Json:
    """What remains where every set of none or several classes is left to a person."""
    several = np.array([one.abstained for one in assessed.predictions])
    right = assessed.right[~several]
    return {
        "share": float(several.mean()),
        "accuracy_of_the_others": float(right.mean()) if len(right) else None,
        "wrong": int((~assessed.right).sum()),
        "wrong_and_stood_by": int((~right).sum()),
    }


def familiar(
    distances: Distances, folds: tuple[int, ...], units: Sequence[str], *, seed: int = 1
) -> Json:
    """The share of cells kept as familiar, each judged by the other folds; by fold too.

    ``distances`` are relative, so a median above 1 is by how much farther out held-out cells lie.
    """
    kept = kept_as_familiar(distances, folds)
    numbers = np.asarray(folds)
    groups = np.unique(np.asarray(units), return_inverse=True)[1]
    drawn = draws(int(groups.max()) + 1, seed)
    return {
        "kept": float(kept.mean()),
        "kept_interval": interval_of_mean(kept, groups, drawn),
        "kept_by_fold": [float(kept[numbers == fold].mean()) for fold in np.unique(numbers)],
        "median_distance": float(np.median(distances)),
    }


def others(classifier: Classifier, pictures: Mapping[str, Iterable[Source]]) -> Json:
    """Whether a model that learnt from every cell tells other pictures from cells.

    The cells' distances are those of its familiarity, which were measured out of fold: so their own
    familiarities are the shares of each other that lie farther out.

    Raises:
        WrongData: the model knows no familiarity, or a set holds no readable picture.

    """
    known = classifier.familiarity
    if known is None:
        raise WrongData(f"{classifier.model_version} is not calibrated: it knows no familiarity.")
    inside = 1 - np.arange(len(known.distances)) / len(known.distances)
    found: Json = {}
    for name, some in pictures.items():
        outcomes = classifier.classify(list(some))
        answers = [one for one in outcomes if isinstance(one, Prediction)]
        if not answers:
            raise WrongData(f"{name} holds no readable picture.")
        outside = np.array([one.familiarity for one in answers])
        positive = np.arange(len(inside) + len(outside)) >= len(inside)
        found[name] = {
            "pictures": len(answers),
            "auroc": assess.auroc(-np.concatenate([inside, outside]), positive),
            "unfamiliar": sum(not one.familiar for one in answers) / len(answers),
            "abstained": sum(one.abstained for one in answers) / len(answers),
            "called_abnormal": sum(one.cell_class.is_abnormal for one in answers) / len(answers),
        }
    return found


# Intervals


def interval_of_mean(
    values: NDArray[np.bool_] | NDArray[np.int64] | Floats, groups: NDArray[np.int64], drawn: Floats
) -> list[float]:
    """The interval of a mean over cells, where ``drawn`` (draws, groups) says how often each is."""
    sums, counts = np.bincount(groups, values), np.bincount(groups)
    found: list[float] = np.percentile((drawn @ sums) / (drawn @ counts), SIDES).tolist()
    return found


def error_interval(assessed: Assessed, drawn: Floats) -> list[float]:
    """The interval of the calibration error.

    The error is a sum of absolute differences, so a bootstrap sample's is larger than the cells':
    the interval lies high rather than low.
    """
    confidence = assessed.probabilities.max(axis=1)
    bins = calibration.BINS
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    groups = int(assessed.groups.max()) + 1
    gaps = np.zeros((groups, bins))
    np.add.at(gaps, (assessed.groups, places), confidence - assessed.right)
    errors = np.abs(drawn @ gaps).sum(axis=1) / (drawn @ np.bincount(assessed.groups))
    found: list[float] = np.percentile(errors, SIDES).tolist()
    return found


def selective_interval(assessed: Assessed, drawn: Floats) -> list[float]:
    """The interval of the accuracy on the most certain share, chosen anew in each draw."""
    order = np.argsort(-assessed.probabilities.max(axis=1), kind="stable")
    groups, right = assessed.groups[order], assessed.right[order]
    found = []
    for times in drawn:
        weights = times[groups]
        reached = np.cumsum(weights)
        kept = np.clip(MOST_CERTAIN * reached[-1] - (reached - weights), 0, weights)
        found.append((kept * right).sum() / kept.sum())
    interval: list[float] = np.percentile(found, SIDES).tolist()
    return interval
