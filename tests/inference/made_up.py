"""Answers of networks that never were: logits whose truth is known, in groups and folds."""

import numpy as np

from inference.answered import Answered
from inference.calibration import softmax


def made_up(seed=1, groups=300, *, temperature=1.0, sharpness=3.0, folds=5):
    """Answers whose probabilities at a temperature are the chances of the true classes."""
    chance = np.random.default_rng(seed)
    sizes = chance.integers(1, 9, groups)
    names = np.repeat(np.arange(groups), sizes)
    logits = chance.normal(0, sharpness, (len(names), 5))
    probabilities = softmax(logits, temperature)
    truth = (probabilities.cumsum(axis=1) < chance.random((len(names), 1))).sum(axis=1)
    return Answered(
        logits.astype(np.float32),
        np.zeros((len(names), 0), dtype=np.float32),
        np.minimum(truth, 4),
        tuple(f"g{name}" for name in names),
        tuple(f"{i:05}.jpg" for i in range(len(names))),
        tuple((names % folds).tolist()),
    )
