"""All that is measured of a model on labelled cells it never saw, and on pictures that are none.

A dictionary of plain numbers, as JSON takes it; ``manage.py evaluate`` prints it, writes it and
draws it. Intervals are 95 % and bootstrapped by group: groups are drawn again, never cells, for the
cells of a group are alike.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, astuple, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from inference import calibration, checks
from inference.answered import positions
from inference.calibration import softmax
from inference.classifier import Prediction
from inference.dataset import WrongData
from inference.evaluate import Figures
from inference.labels import LABELS, CellClass
from inference.preprocess import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.classifier import Classifier
    from inference.dataset import Cell
    from inference.preprocess import Source

    Floats = NDArray[np.float64]
    Json = dict[str, object]

DRAWS = 2000
MOST_CERTAIN = 0.80  # the share of cells a selective accuracy is stated for
SPECIFICITY = 0.95
PERCENTILES = (0, 0.1, 1, 5, 50, 95, 99, 99.9, 100)
_ABNORMAL = np.array([cell_class.is_abnormal for cell_class in CellClass])
SIDES = (2.5, 97.5)  # percentiles of an interval of 95 %


@dataclass(frozen=True, slots=True, eq=False)
class Assessed:
    """N labelled cells and what the classifier says of them.

    ``truth`` and ``called`` are positions in ``CellClass``; ``groups`` are numbers from 0.
    """

    truth: NDArray[np.int64]
    groups: NDArray[np.int64]
    predictions: list[Prediction]
    probabilities: Floats
    called: NDArray[np.int64]
    right: NDArray[np.bool_]

    @classmethod
    def of(cls, classifier: Classifier, folder: Path, cells: Sequence[Cell]) -> Assessed:
        """Ask the classifier, as it serves, for every cell of a data folder.

        Raises:
            WrongData: a cell's image cannot be read.

        """
        predictions: list[Prediction] = []
        outcomes = classifier.classify([folder / cell.file for cell in cells])
        for cell, outcome in zip(cells, outcomes, strict=True):
            if not isinstance(outcome, Prediction):
                raise WrongData(f"{cell.file}: {outcome}")
            predictions.append(outcome)
        return cls.from_predictions(positions(cells), [cell.group for cell in cells], predictions)

    @classmethod
    def from_predictions(
        cls, truth: NDArray[np.int64], groups: Sequence[str], predictions: list[Prediction]
    ) -> Assessed:
        """From predictions that were made elsewhere, out of fold for one."""
        probabilities = np.array([one.probabilities for one in predictions])
        called = probabilities.argmax(axis=1)
        numbers = np.unique(np.asarray(groups), return_inverse=True)[1]
        return cls(truth, numbers, predictions, probabilities, called, called == truth)


def assess(
    classifier: Classifier,
    assessed: Assessed,
    others: Mapping[str, Iterable[Source]],
    *,
    seed: int = 1,
) -> Json:
    """Everything measured of a classifier on labelled cells, and on sets of other pictures."""
    figures = Figures.of(assessed.truth.tolist(), assessed.called.tolist())
    return {
        "model": classifier.model_version,
        "cells": len(assessed.truth),
        "groups": len(set(assessed.groups.tolist())),
        "figures": asdict(figures),
        "intervals": intervals(assessed, seed),
        "abnormal": abnormal(assessed, seed),
        "calibration": calibrated(classifier, assessed),
        "selective": selective(assessed),
        "sets": sets(classifier, assessed),
        "abstention": abstention(assessed),
        "ensemble": ensemble(assessed),
        "familiarity": familiarity(classifier, assessed, others),
    }


# Accuracy and its like


def intervals(assessed: Assessed, seed: int) -> Json:
    """The interval of each figure, and sensitivity and specificity of each class with theirs."""
    groups = int(assessed.groups.max()) + 1
    confusions = np.zeros((groups, len(CellClass), len(CellClass)))
    np.add.at(confusions, (assessed.groups, assessed.truth, assessed.called), 1)
    drawn = np.tensordot(draws(groups, seed), confusions, axes=1)
    found = _measures(confusions.sum(axis=0)[None])
    spread = {
        name: np.nanpercentile(values, SIDES, axis=0) for name, values in _measures(drawn).items()
    }
    plain = ("accuracy", "macro_precision", "macro_recall", "macro_f1")
    return {name: spread[name].tolist() for name in plain} | {
        "per_class": {
            label: {
                name: {"value": float(found[name][0, i]), "interval": spread[name][:, i].tolist()}
                for name in ("sensitivity", "specificity")
            }
            for i, label in enumerate(LABELS)
        }
    }


def draws(groups: int, seed: int) -> Floats:
    """How often each group is in each bootstrap draw: (DRAWS, groups)."""
    chance = np.random.default_rng(seed)
    return chance.multinomial(groups, np.full(groups, 1 / groups), size=DRAWS).astype(float)


def _measures(confusions: Floats) -> dict[str, Floats]:
    """Figures of confusion matrices (N, 5, 5); a class that is not there has none."""
    right = np.diagonal(confusions, axis1=1, axis2=2)
    of_class, called = confusions.sum(axis=2), confusions.sum(axis=1)
    total = confusions.sum(axis=(1, 2))[:, None]
    with np.errstate(invalid="ignore"):
        sensitivity = right / of_class
        specificity = 1 - (called - right) / (total - of_class)
        precision = right / np.maximum(called, 1)
        f1 = 2 * right / (of_class + called)
    return {
        "accuracy": right.sum(axis=1) / total[:, 0],
        "macro_precision": precision.mean(axis=1),
        "macro_recall": sensitivity.mean(axis=1),
        "macro_f1": f1.mean(axis=1),
        "sensitivity": sensitivity,
        "specificity": specificity,
    }


def abnormal(assessed: Assessed, seed: int) -> Json:
    """Abnormal classes against the rest, by their probability together."""
    positive = _ABNORMAL[assessed.truth]
    scores = assessed.probabilities[:, _ABNORMAL].sum(axis=1)
    groups = int(assessed.groups.max()) + 1
    weights = draws(groups, seed)[:, assessed.groups]
    areas = [auroc(scores, positive, one) for one in weights]
    shares = [sensitivity_at(scores, positive, one) for one in weights]
    return {
        "auroc": auroc(scores, positive),
        "auroc_interval": np.nanpercentile(areas, SIDES).tolist(),
        "sensitivity": sensitivity_at(scores, positive),
        "sensitivity_interval": np.nanpercentile(shares, SIDES).tolist(),
        "specificity": SPECIFICITY,
    }


def auroc(scores: Floats, positive: NDArray[np.bool_], weights: Floats | None = None) -> float:
    """The chance that a positive scores higher than a negative; a tie counts half."""
    weights = np.ones(len(scores)) if weights is None else weights
    _, places = np.unique(scores, return_inverse=True)
    high = np.bincount(places, weights * positive)
    low = np.bincount(places, weights * ~positive)
    pairs = high.sum() * low.sum()
    return float((high * (np.cumsum(low) - low / 2)).sum() / pairs) if pairs else float("nan")


def sensitivity_at(
    scores: Floats,
    positive: NDArray[np.bool_],
    weights: Floats | None = None,
    specificity: float = SPECIFICITY,
) -> float:
    """The share of positives above the lowest threshold that keeps enough negatives below it."""
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(scores, kind="stable")
    below = np.cumsum((weights * ~positive)[order])
    if not below[-1] or not (weights * positive).sum():
        return float("nan")
    place = int(np.argmax(below >= specificity * below[-1] - 1e-9))
    above = scores > scores[order][place]
    return float((weights * positive * above).sum() / (weights * positive).sum())


# What travels with a prediction


def calibrated(classifier: Classifier, assessed: Assessed) -> Json:
    """Calibration error and reliability, with the temperature and as if there were none."""
    fitted = classifier.calibration
    temperature = fitted.temperature if fitted else 1.0
    # to the power of the temperature and summed to one again, probabilities are as before it
    before = softmax(np.log(np.maximum(assessed.probabilities, 1e-300)) * temperature)
    return {"temperature": temperature} | reliability(
        before, assessed.probabilities, assessed.truth
    )


def reliability(before: Floats, after: Floats, truth: NDArray[np.int64]) -> Json:
    """Calibration error and reliability of probabilities without and with a temperature."""
    return {
        "error_before": calibration.calibration_error(before, truth),
        "error_after": calibration.calibration_error(after, truth),
        "bins": calibration.BINS,
        "before": [asdict(one) for one in calibration.reliability(before, truth)],
        "after": [asdict(one) for one in calibration.reliability(after, truth)],
    }


def selective(assessed: Assessed) -> Json:
    """Accuracy among the most certain cells, by their share."""
    order = np.argsort(-assessed.probabilities.max(axis=1), kind="stable")
    accuracy = np.cumsum(assessed.right[order]) / np.arange(1, len(order) + 1)
    shares = np.arange(1, len(order) + 1) / len(order)
    kept = max(1, round(MOST_CERTAIN * len(order)))
    steps = sorted({max(1, round(len(order) * i / 100)) - 1 for i in range(1, 101)})
    return {
        "share": MOST_CERTAIN,
        "accuracy": float(accuracy[kept - 1]),
        "curve": [[float(shares[i]), float(accuracy[i])] for i in steps],
    }


def sets(classifier: Classifier, assessed: Assessed) -> Json | None:
    """How often prediction sets hold the true class, over cells and over groups, and their size."""
    if classifier.calibration is None:
        return None
    return {
        "level": classifier.calibration.level,
        "threshold": classifier.calibration.threshold,
    } | covered(assessed)


def held(assessed: Assessed) -> NDArray[np.bool_]:
    """Whether the set of each cell holds its true class."""
    return np.array(
        [
            list(CellClass)[place] in one.prediction_set
            for place, one in zip(assessed.truth, assessed.predictions, strict=True)
        ]
    )


def covered(assessed: Assessed) -> Json:
    """Coverage over cells, over groups and by class, and the sizes of the sets."""
    holds = held(assessed)
    sizes = np.array([len(one.prediction_set) for one in assessed.predictions])
    counts = np.bincount(assessed.groups)
    by_group = np.bincount(assessed.groups, holds) / counts
    return {
        "coverage": float(holds.mean()),
        "coverage_by_group": float(by_group.mean()),
        "mean_size": float(sizes.mean()),
        "sizes": {str(size): int((sizes == size).sum()) for size in sorted(set(sizes.tolist()))},
        "coverage_per_class": {
            label: float(holds[assessed.truth == i].mean())
            for i, label in enumerate(LABELS)
            if (assessed.truth == i).any()
        },
    }


def abstention(assessed: Assessed) -> Json:
    """The share abstained, for which reasons, and the accuracy of what is stood by."""
    abstained = np.array([one.abstained for one in assessed.predictions])
    stood_by = assessed.right[~abstained]
    return {
        "share": float(abstained.mean()),
        "accuracy_of_the_others": float(stood_by.mean()) if len(stood_by) else None,
        "wrong_and_stood_by": int((~stood_by).sum()),
        "wrong": int((~assessed.right).sum()),
        "reasons": _counted(assessed.predictions),
        "confusable": _by_count(
            " or ".join(sorted(one.prediction_set))
            for one in assessed.predictions
            if len(one.prediction_set) > 1
        ),
    }


def ensemble(assessed: Assessed) -> Json | None:
    """What several networks buy: how each fares alone, and whether they differ where all err."""
    named = [one.named for one in assessed.predictions]
    if not all(named):
        return None
    places = np.array([[LABELS.index(one) for one in each] for each in named])
    right_alone = places == assessed.truth[:, None]
    differ = (places != places[:, :1]).any(axis=1)
    apart = np.array([one.disagreement or 0.0 for one in assessed.predictions])
    doubt = 1 - assessed.probabilities.max(axis=1)
    agreed = assessed.right[~differ]
    return {
        "accuracy_of_each": right_alone.mean(axis=0).tolist(),
        "disagree": float(differ.mean()),
        "accuracy_where_they_agree": float(agreed.mean()) if len(agreed) else float("nan"),
        "wrong_told_by": {
            "disagreement": auroc(apart, ~assessed.right),
            "confidence": auroc(doubt, ~assessed.right),
        },
    }


def _counted(predictions: Sequence[Prediction]) -> dict[str, int]:
    """How many predictions give each reason; what follows a colon differs from one to the next."""
    return _by_count(
        "More than one class is possible" if reason.startswith("It may be") else reason
        for one in predictions
        for reason in (reason.split(":")[0].rstrip(".") for reason in one.reasons)
    )


def _by_count(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0])))


def familiarity(
    classifier: Classifier, assessed: Assessed, others: Mapping[str, Iterable[Source]]
) -> Json | None:
    """Whether pictures of other sets lie farther out than the cells, and what is said of them."""
    if classifier.familiarity is None:
        return None
    inside = np.array([one.familiarity for one in assessed.predictions])
    found: dict[str, Json] = {}
    for name, pictures in others.items():
        outcomes = list(classifier.classify(list(pictures)))
        answers = [one for one in outcomes if isinstance(one, Prediction)]
        if not answers:
            raise WrongData(f"{name} holds no readable picture.")
        outside = np.array([one.familiarity for one in answers])
        positive = np.arange(len(inside) + len(outside)) >= len(inside)
        found[name] = {
            "pictures": len(answers),
            "unreadable": len(outcomes) - len(answers),
            "auroc": auroc(-np.concatenate([inside, outside]), positive),
            "unfamiliar": _share([not one.familiar for one in answers]),
            "abstained": _share([one.abstained for one in answers]),
            "called_abnormal": _share([one.cell_class.is_abnormal for one in answers]),
            "reasons": _counted(answers),
        }
    return {
        "known_kept": _share([one.familiar for one in assessed.predictions]),
        "sets": found,
    }


def _share(each: Sequence[bool]) -> float:
    return sum(each) / len(each)


# What the plain checks see


def looks(sources: Iterable[Source]) -> Json:
    """The percentiles of every measure of the plain checks, from which their thresholds come."""
    measured = np.array([astuple(checks.look(read(source))) for source in sources])
    names = [field.name for field in fields(checks.Looks)]
    values = np.percentile(measured, PERCENTILES, axis=0)
    return {
        "percentiles": list(PERCENTILES),
        **{name: values[:, i].tolist() for i, name in enumerate(names)},
    }
