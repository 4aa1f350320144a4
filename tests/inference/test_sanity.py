"""Maps that depend on what was learnt change when it is forgotten."""

import numpy as np
import pytest

from inference import manifest
from inference.labels import CellClass
from inference.preprocess import preprocess
from inference.sanity import cascade, rank_correlation
from tests.inference.conftest import draw


def test_rank_correlation_is_of_the_order_alone():
    rising = np.arange(36.0).reshape(6, 6)

    assert rank_correlation(rising, np.exp(rising)) == pytest.approx(1)
    assert rank_correlation(rising, -rising) == pytest.approx(-1)
    assert rank_correlation(rising, np.zeros((6, 6))) == 0


def test_blocks_are_forgotten_from_the_head_down_and_the_maps_go_with_them(model):
    pixels = np.stack([preprocess(draw(one, number)) for one in CellClass for number in range(2)])

    found = cascade(model, manifest.read(model), pixels)
    again = cascade(model, manifest.read(model), pixels)

    assert found["steps"] == ["head", *(f"block {i}" for i in range(8, -1, -1))]
    assert len(found["correlation"]) == 10
    assert min(found["correlation"]) < 0.8
    pairs = zip(found["correlation"], found["size"], strict=True)
    assert all(abs(signed) <= size <= 1 for signed, size in pairs)
    assert found == again
