"""What one gets without training the network: simple classifiers, asked in the same folds.

Logistic regression and a random forest on small pictures, pixel by pixel, and logistic regression
on the features of the network as it was before training. Their answers lie in the same files as a
network's (:class:`inference.answered.Answered`), so that the same figures are made of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from inference.answered import Answered, positions
from inference.dataset import WrongData
from inference.labels import CellClass
from inference.preprocess import UnreadableImage, preprocess
from inference.splits import FOLDS, Split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from sklearn.base import ClassifierMixin  # type: ignore[import-untyped]

    from inference.dataset import Cell

    Floats = NDArray[np.float32]

SIDE = 32  # pixels of the small pictures
TREES = 300
LEAST = 1e-4  # a probability; a forest says 0, whose logarithm is no logit
PIXELS = {"logistic-pixels": "logistic", "forest-pixels": "forest"}
FEATURES = {"logistic-features": "logistic"}


def small_pictures(folder: Path, cells: Sequence[Cell]) -> Floats:
    """The cells as rows of numbers from 0 to 1, ``SIDE`` by ``SIDE`` pixels of three colours.

    Raises:
        WrongData: a cell's image cannot be read.

    """
    rows = np.empty((len(cells), SIDE * SIDE * 3), dtype=np.float32)
    for i, cell in enumerate(cells):
        try:
            seen = Image.fromarray(preprocess(folder / cell.file))
        except UnreadableImage as error:
            raise WrongData(f"{cell.file}: {error}") from error
        small = seen.resize((SIDE, SIDE), Image.Resampling.BOX)
        rows[i] = np.asarray(small, dtype=np.float32).ravel() / 255
    return rows


def out_of_fold(
    kind: str, rows: Floats, cells: Sequence[Cell], *, folds: int = FOLDS, seed: int = 1
) -> Answered:
    """The answers of a classifier to every cell, learnt from the other folds by group.

    Raises:
        WrongData: there are too few groups.

    """
    places = {cell.file: i for i, cell in enumerate(cells)}
    several = []
    for fold in range(1, folds + 1):
        parts = Split(unit="group", fold=fold, folds=folds).of(cells, seed=seed)
        learnt, asked = (
            np.array([places[cell.file] for cell in parts[part]]) for part in ("train", "test")
        )
        classifier = _made(kind, seed)
        classifier.fit(rows[learnt], positions(parts["train"]))
        probabilities = np.full((len(asked), len(CellClass)), LEAST)
        probabilities[:, classifier.classes_] = classifier.predict_proba(rows[asked])
        logits = np.log(np.maximum(probabilities, LEAST)).astype(np.float32)
        nothing = np.zeros((len(asked), 0), dtype=np.float32)
        several.append(Answered.of(parts["test"], logits, nothing))
    return Answered.together(several)


def _made(kind: str, seed: int) -> ClassifierMixin:
    # scikit-learn belongs to the extra `train`
    from sklearn.ensemble import RandomForestClassifier  # type: ignore[import-untyped]  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]  # noqa: PLC0415

    if kind == "forest":
        return RandomForestClassifier(TREES, random_state=seed, n_jobs=1)
    # weak weights: there are more numbers than cells
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000, tol=1e-3))
