"""Activation maps measured, not only shown: whether they lie on the cell, and whether it matters.

- **Where**: the share of a map that lies on the cell and on its nucleus, beside the share of the
  picture that these cover, which is what a map without meaning would reach. Cell and nucleus are
  told from the slide by how much light they take away, at two thresholds after Otsu. Papanicolaou's
  stains are too many to be separated by one matrix of colours, and light taken away is common to
  all of them.
- **Whether it matters**: places are blurred away, the map's highest first, or brought into a
  blurred picture (deletion and insertion; Petsiuk, Das and Saenko, "RISE", BMVC 2018, arXiv
  1806.07421). The mean probability of the class over the steps is compared with that for places in
  random order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from inference.classifier import Prediction
from inference.labels import LABELS
from inference.preprocess import SIDE, preprocess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from inference.classifier import Classifier
    from inference.preprocess import Source

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

PLACES = 6  # a side of a map
STEPS = (0, 1, 3, 6, 10, 15, 21, 28, 36)  # places changed; more often while it matters most
BLUR = 24  # pixels; at this radius no outline is left
_GREYS = 64


def measure(
    classifier: Classifier, sources: Sequence[Source], *, seed: int = 1
) -> dict[str, object]:
    """Measure the maps of the classes that pictures are called."""
    chance = np.random.default_rng(seed)
    pictures = [preprocess(source) for source in sources]
    outcomes = classifier.classify([Image.fromarray(one) for one in pictures])
    predictions = [one for one in outcomes if isinstance(one, Prediction)]
    shares: dict[str, list[tuple[float, ...]]] = {}
    curves: dict[str, list[float]] = {}
    for pixels, prediction in zip(pictures, predictions, strict=True):
        called = LABELS.index(prediction.cell_class)
        assert prediction.activation_maps is not None  # noqa: S101 -- the classifier made it
        seen = prediction.activation_maps[called]
        shares.setdefault(prediction.cell_class.value, []).append(on_cell(seen, pixels))
        orders = {
            "map": np.argsort(-seen, axis=None, kind="stable"),
            "random": chance.permutation(seen.size),
        }
        for name, order in orders.items():
            for change in ("deletion", "insertion"):
                mean = _mean(classifier, pixels, order, called, inserting=change == "insertion")
                curves.setdefault(f"{change}_{name}", []).append(mean)
    return {
        "cells": len(predictions),
        "shares": _shares([row for rows in shares.values() for row in rows]),
        "per_class": {label: _shares(shares[label]) for label in LABELS if label in shares},
        **{name: float(np.mean(values)) for name, values in curves.items()},
    }


def on_cell(seen: NDArray[np.float32], pixels: NDArray[np.uint8]) -> tuple[float, ...]:
    """The share of a map on the cell, the cell's of the picture; the same of the nucleus."""
    image = Image.fromarray(np.maximum(seen, 0).astype(np.float32))
    spread = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.float64)
    total = max(float(spread.sum()), 1e-12)
    cell, nucleus = masks(pixels)
    return (
        float(spread[cell].sum() / total),
        float(cell.mean()),
        float(spread[nucleus].sum() / total),
        float(nucleus.mean()),
    )


def masks(pixels: NDArray[np.uint8]) -> tuple[Mask, Mask]:
    """The cell, and in it the nucleus: what takes much light away, and what takes most."""
    light = (pixels.astype(np.float64).mean(axis=2) + 1) / 256
    taken = -np.log(light)
    low, high = _otsu(taken)
    return taken > low, taken > high


def _otsu(values: Floats) -> tuple[float, float]:
    """The two thresholds between which values differ least from the mean of their kind."""
    counts, edges = np.histogram(values, bins=_GREYS)
    middles = (edges[:-1] + edges[1:]) / 2
    count = np.concatenate([[0], np.cumsum(counts)]).astype(float)
    total = np.concatenate([[0], np.cumsum(counts * middles)])

    def between(start: NDArray[np.int64], end: NDArray[np.int64]) -> Floats:
        inside = count[end] - count[start]
        spread: Floats = (total[end] - total[start]) ** 2 / np.maximum(inside, 1e-9)
        return spread

    first, second = np.triu_indices(_GREYS - 1, k=1)
    first, second = first + 1, second + 1
    ends = np.full_like(first, _GREYS)
    score = between(np.zeros_like(first), first) + between(first, second) + between(second, ends)
    best = int(score.argmax())
    return float(edges[first[best]]), float(edges[second[best]])


def _mean(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    order: NDArray[np.int64],
    called: int,
    *,
    inserting: bool,
) -> float:
    """The mean probability of a class while places are changed in an order."""
    sharp = Image.fromarray(pixels)
    blurred = sharp.filter(ImageFilter.GaussianBlur(BLUR))
    under, over = (blurred, sharp) if inserting else (sharp, blurred)
    steps: list[Source] = []
    for count in STEPS:
        changed = np.zeros(PLACES * PLACES, dtype=np.uint8)
        changed[order[:count]] = 255
        mask = Image.fromarray(changed.reshape(PLACES, PLACES))
        spread = mask.resize((SIDE, SIDE), Image.Resampling.NEAREST)
        steps.append(Image.composite(over, under, spread))
    outcomes = classifier.classify(steps)
    heights = [one.probabilities[called] for one in outcomes if isinstance(one, Prediction)]
    return float(np.trapezoid(heights, STEPS) / STEPS[-1])


def _shares(rows: Sequence[tuple[float, ...]]) -> dict[str, float]:
    names = ("on_cell", "cell", "on_nucleus", "nucleus")
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))
