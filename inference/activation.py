"""Activation maps measured, not only shown: whether they lie on the cell, and whether it matters.

- **Where**: the share of a map that lies on the cell and on its nucleus, beside the share of the
  picture that these cover, which is what a map without meaning would reach. Cell and nucleus are
  told from the slide by how much light they take away, at two thresholds after Otsu; the nucleus
  also by its stain, haematoxylin, after colour deconvolution (Ruifrok and Johnston, "Quantification
  of histochemical staining by color deconvolution", Anal Quant Cytol Histol 23, 2001). Neither is
  right alone: light takes folds and neighbours for nuclei, and the deconvolution, which knows
  haematoxylin and eosin, takes the blue and green of Papanicolaou's other stains for haematoxylin.
- **Whether it matters**: places are blurred away, the map's highest first, or brought into a
  blurred picture (deletion and insertion; Petsiuk, Das and Saenko, "RISE", BMVC 2018, arXiv
  1806.07421). The mean probability of the class over the steps is compared with that for places in
  random order.

Whether maps depend on what was learnt at all is asked in ``inference.sanity``, which needs PyTorch.
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
_STAINS = np.array(  # how much red, green and blue haematoxylin, eosin and diaminobenzidine take
    [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]]
)
_WHITE = 98  # percentile of a picture that counts as the light of the slide
CURVES = ("deletion_map", "deletion_random", "insertion_map", "insertion_random")


def measure(
    classifier: Classifier, sources: Sequence[Source], *, seed: int = 1
) -> dict[str, object]:
    """Measure the maps of the classes that pictures are called."""
    chance = np.random.default_rng(seed)
    pictures = [preprocess(source) for source in sources]
    outcomes = classifier.classify([Image.fromarray(one) for one in pictures])
    predictions = [one for one in outcomes if isinstance(one, Prediction)]
    shares: dict[str, list[tuple[float, ...]]] = {}
    curves: dict[str, dict[str, list[float]]] = {}
    stains: dict[str, list[tuple[float, ...]]] = {}
    for pixels, prediction in zip(pictures, predictions, strict=True):
        called = LABELS.index(prediction.cell_class)
        assert prediction.activation_maps is not None  # noqa: S101 -- the classifier made it
        seen = prediction.activation_maps[called]
        label = prediction.cell_class.value
        shares.setdefault(label, []).append(on_cell(seen, pixels))
        stains.setdefault(label, []).append(on_stain(seen, pixels))
        of_class = curves.setdefault(label, {name: [] for name in CURVES})
        orders = {
            "map": np.argsort(-seen, axis=None, kind="stable"),
            "random": chance.permutation(seen.size),
        }
        for name, order in orders.items():
            for change in ("deletion", "insertion"):
                mean = _mean(classifier, pixels, order, called, inserting=change == "insertion")
                of_class[f"{change}_{name}"].append(mean)
    called_so = [label for label in LABELS if label in shares]
    return {
        "cells": len(predictions),
        "shares": _shares([row for rows in shares.values() for row in rows]),
        "per_class": {label: _shares(shares[label]) for label in called_so},
        "stain": {
            "all": _on_stain([row for rows in stains.values() for row in rows]),
            **{label: _on_stain(stains[label]) for label in called_so},
        },
        **{
            name: float(np.mean([mean for one in curves.values() for mean in one[name]]))
            for name in CURVES
        },
        "curves_per_class": {
            label: {name: float(np.mean(curves[label][name])) for name in CURVES}
            for label in called_so
        },
    }


def on_cell(seen: NDArray[np.float32], pixels: NDArray[np.uint8]) -> tuple[float, ...]:
    """The share of a map on the cell, the cell's of the picture; the same of the nucleus."""
    spread = _spread(seen)
    cell, nucleus = masks(pixels)
    return (
        float(spread[cell].sum()),
        float(cell.mean()),
        float(spread[nucleus].sum()),
        float(nucleus.mean()),
    )


def on_stain(seen: NDArray[np.float32], pixels: NDArray[np.uint8]) -> tuple[float, ...]:
    """The share of a map where haematoxylin is in the cell, and that place's of the picture."""
    stained = stained_nucleus(pixels)
    return float(_spread(seen)[stained].sum()), float(stained.mean())


def _spread(seen: NDArray[np.float32]) -> Floats:
    """What speaks for a class, over the whole picture, with the sum 1; all 0 where nothing does."""
    image = Image.fromarray(np.maximum(seen, 0).astype(np.float32))
    spread = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.float64)
    shares: Floats = spread / max(float(spread.sum()), 1e-12)
    return shares


def masks(pixels: NDArray[np.uint8]) -> tuple[Mask, Mask]:
    """The cell, and in it the nucleus: what takes much light away, and what takes most."""
    light = (pixels.astype(np.float64).mean(axis=2) + 1) / 256
    taken = -np.log(light)
    low, high = _otsu(taken)
    return taken > low, taken > high


def stained_nucleus(pixels: NDArray[np.uint8]) -> Mask:
    """Where in the cell the stain of nuclei is, told from its surroundings by Otsu's threshold."""
    cell, _ = masks(pixels)
    stain = haematoxylin(pixels)
    if not cell.any():
        return cell
    return cell & (stain > _otsu(stain[cell])[1])


def haematoxylin(pixels: NDArray[np.uint8]) -> Floats:
    """How much of the stain of nuclei there is at each place, by colour deconvolution."""
    white = np.percentile(pixels, _WHITE, axis=(0, 1))
    taken = np.maximum(-np.log((pixels.astype(np.float64) + 1) / (white + 1)), 0)
    stains: Floats = taken @ np.linalg.inv(_STAINS)
    return np.maximum(stains[..., 0], 0)


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


def _on_stain(rows: Sequence[tuple[float, ...]]) -> dict[str, float]:
    names = ("on_nucleus", "nucleus")
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))


def _shares(rows: Sequence[tuple[float, ...]]) -> dict[str, float]:
    names = ("on_cell", "cell", "on_nucleus", "nucleus")
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))
