"""Probabilities that mean what they say: temperature, calibration error, prediction sets.

All of it takes logits or probabilities of held-out cells with their true classes and groups, from
wherever they come: one validation part, or every cell out of fold. Plain numpy.

- Temperature: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv 1706.04599.
- The score of a set, one minus the probability of the true class, whose sets are the smallest on
  average: Sadinle, Lei and Wasserman, "Least Ambiguous Set-Valued Classifiers with Bounded Error
  Levels", JASA 114, 2019, arXiv 1609.00451.
- Calibration by group: Lee, Barber and Willett, "Distribution-free inference with hierarchical
  data", arXiv 2306.06342. A group's cells share one unit of weight, and the group that is still to
  come counts as infinitely far out.

What a set promises: if the group of a new cell is exchangeable with the groups of calibration (the
same laboratory, stain, camera and way of choosing cells), the set holds the true class of a cell of
that group with at least the probability ``level``, averaged over groups and draws of calibration.
It promises nothing for one class, one image, another laboratory or a picture of no such cell;
familiarity is there for that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from inference.labels import CellClass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVELS = (0.90, 0.95, 0.99)  # a model knows its sets at each of them
LEVEL = 0.99
BINS = 15
_COOLEST, _WARMEST = 0.05, 20.0  # between these a temperature is looked for
_GOLDEN = (np.sqrt(5) - 1) / 2


class CannotCalibrate(Exception):
    """Held-out cells that cannot bear what is asked of them; a sentence for people."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns logits into honest answers; ``cells`` and ``groups`` are those it was fitted on.

    ``thresholds`` are, by level, the largest score a class may have in a prediction set; ``source``
    says in words which cells it was fitted on.
    """

    temperature: float
    level: float
    thresholds: dict[str, float]
    source: str
    cells: int
    groups: int

    def __post_init__(self) -> None:
        """Refuse numbers that would answer nonsense; they come from a file.

        Raises:
            ValueError: says which.

        """
        if not _COOLEST <= self.temperature <= _WARMEST:
            raise ValueError(f"a temperature of {self.temperature}")
        if _key(self.level) not in self.thresholds:
            raise ValueError(f"no threshold at the level {self.level}")
        if not all(0 <= one <= 1 for one in self.thresholds.values()):
            raise ValueError(f"thresholds of {self.thresholds}")

    def __str__(self) -> str:
        return (
            f"temperature {self.temperature:.3f}; at {self.level:.0%} a set holds every class of "
            f"{1 - self.threshold:.2%} or more; fitted on {self.cells} cells in {self.groups} "
            f"groups, {self.source}"
        )

    @property
    def threshold(self) -> float:
        """The largest score a class may have in a set at the level."""
        return self.thresholds[_key(self.level)]

    @property
    def levels(self) -> list[float]:
        """The levels that sets are known for, the lowest first."""
        return sorted(float(level) for level in self.thresholds)

    def at(self, level: float) -> Calibration:
        """The same, with sets at another level.

        Raises:
            CannotCalibrate: it knows no sets at that level.

        """
        if _key(level) not in self.thresholds:
            known = ", ".join(f"{one:.0%}" for one in self.levels)
            raise CannotCalibrate(
                f"This model has no prediction sets at {level:.0%}, but at {known}."
            )
        return replace(self, level=level)

    def probabilities(self, logits: NDArray[np.float32]) -> Floats:
        """Logits (N, 5) as calibrated probabilities, each row with the sum 1."""
        return softmax(logits, self.temperature)

    def prediction_set(self, probabilities: Sequence[float]) -> tuple[CellClass, ...]:
        """The classes a cell may be of, by falling probability; empty where none is likely."""
        ranked = sorted(
            zip(probabilities, CellClass, strict=True), key=lambda pair: pair[0], reverse=True
        )
        return tuple(
            cell_class for probability, cell_class in ranked if 1 - probability <= self.threshold
        )


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> Floats:
    """Logits (N, 5) to probabilities, each row with the sum 1."""
    scaled = logits.astype(np.float64) / temperature
    shifted = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: Floats = shifted / shifted.sum(axis=1, keepdims=True)
    return shares


# Fitting, on held-out cells


def fit(
    logits: NDArray[np.floating],
    truth: NDArray[np.integer],
    groups: Sequence[str],
    *,
    source: str,
    level: float = LEVEL,
) -> Calibration:
    """The calibration that held-out cells ask for.

    The temperature is fitted on the cells whose sets it then decides, as is usual: one number from
    hundreds of cells bends a score so little that the promise of the sets stays, measurably (see
    the tests), if no longer by the letter of the theorem.

    Raises:
        CannotCalibrate: too few groups for the level.

    """
    temperature = fit_temperature(logits, truth)
    probabilities = softmax(logits, temperature)
    scores = 1 - probabilities[np.arange(len(truth)), truth]
    levels = sorted({one for one in LEVELS if one < level} | {level}, reverse=True)
    return Calibration(
        temperature=temperature,
        level=level,
        thresholds={_key(one): group_quantile(scores, groups, one) for one in levels},
        source=source,
        cells=len(truth),
        groups=len(set(groups)),
    )


def fit_temperature(logits: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """The temperature under which the true classes are likeliest.

    The mean negative log-likelihood is convex in the inverse of the temperature, so golden-section
    search between two bounds finds its one minimum.
    """

    def loss(inverse: float) -> float:
        return negative_log_likelihood(logits, truth, 1 / inverse)

    low, high = 1 / _WARMEST, 1 / _COOLEST
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    losses = loss(left), loss(right)
    while high - low > 1e-6 * low:  # far below what the cells can tell
        if losses[0] < losses[1]:
            high, right = right, left
            left = high - _GOLDEN * (high - low)
            losses = loss(left), losses[0]
        else:
            low, left = left, right
            right = low + _GOLDEN * (high - low)
            losses = losses[1], loss(right)
    return float(2 / (low + high))


def negative_log_likelihood(
    logits: NDArray[np.floating], truth: NDArray[np.integer], temperature: float = 1.0
) -> float:
    """The mean of what the true classes' log-probabilities lack."""
    scaled = logits.astype(np.float64) / temperature
    shifted = scaled - scaled.max(axis=1, keepdims=True)
    logarithms = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-logarithms[np.arange(len(truth)), truth].mean())


def group_quantile(scores: Floats, groups: Sequence[str], level: float) -> float:
    """The smallest threshold under which a cell of a new group lies with this probability.

    Of K groups each has the weight 1 / (K + 1), shared by its cells; the rest belongs to the group
    to come. With a cell a group this is the finite-sample quantile of split conformal prediction.

    Raises:
        CannotCalibrate: so few groups that only an infinite threshold would do.

    """
    _, places, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    weights = 1 / (counts[places] * (len(counts) + 1))
    order = np.argsort(scores)
    reached = np.cumsum(weights[order]) >= level - 1e-12  # sums of weights are not exact
    if not reached.any():
        needed = int(np.ceil(level / (1 - level) - 1e-9))
        raise CannotCalibrate(
            f"Sets at {level:.0%} need {needed} groups of held-out cells; there are {len(counts)}."
        )
    return float(scores[order][int(np.argmax(reached))])


# Judging


@dataclass(frozen=True, slots=True)
class Bin:
    """The cells whose confidence lies in an interval, and how many of them were right."""

    low: float
    high: float
    cells: int
    confidence: float
    accuracy: float


def reliability(probabilities: Floats, truth: NDArray[np.integer], bins: int = BINS) -> list[Bin]:
    """Confidence against accuracy in equal intervals, those without cells left out."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return [
        Bin(
            low=place / bins,
            high=(place + 1) / bins,
            cells=int(inside.sum()),
            confidence=float(confidence[inside].mean()),
            accuracy=float(right[inside].mean()),
        )
        for place in range(bins)
        if (inside := places == place).any()
    ]


def calibration_error(probabilities: Floats, truth: NDArray[np.integer], bins: int = BINS) -> float:
    """The expected calibration error: by how much confidence misses accuracy, on average."""
    missed = (
        one.cells * abs(one.confidence - one.accuracy)
        for one in reliability(probabilities, truth, bins)
    )
    return float(sum(missed) / len(truth))


def _key(level: float) -> str:
    return f"{level:g}"
