"""Maps and features as they are stored: small, whole, and the same when they come back."""

import numpy as np
import pytest

from cases import activation
from inference.labels import CellClass

MAPS = np.linspace(-3, 9, 180, dtype=np.float32).reshape(5, 6, 6)


def test_five_maps_take_360_bytes_and_come_back_by_class_row_and_column():
    stored = activation.pack_maps(MAPS)

    back = np.array(activation.unpack_maps(stored))
    assert len(stored) == 360
    assert back.shape == (len(CellClass), 6, 6)
    assert back == pytest.approx(MAPS, abs=0.005)


def test_r25_maps_of_a_version_that_saw_larger_pictures_come_back_as_they_were():
    maps = np.linspace(-3, 9, 245, dtype=np.float32).reshape(5, 7, 7)

    stored = activation.pack_maps(maps)

    assert len(stored) == 490
    assert np.array(activation.unpack_maps(stored)) == pytest.approx(maps, abs=0.005)


def test_features_take_two_bytes_each_the_low_one_first():
    stored = activation.pack_features(np.ones(1280, np.float32))

    assert len(stored) == 2560
    assert stored[:2] == b"\x00\x3c"  # 1 in half precision


def test_what_half_precision_cannot_hold_stays_the_largest_and_finite():
    stored = activation.pack_features(np.full(1280, 1e9, np.float32))

    assert np.frombuffer(stored, "<f2").max() == np.finfo(np.float16).max


@pytest.mark.parametrize("shape", [(6, 6, 5), (5, 6), (4, 6, 6), (5, 8, 8)])
def test_maps_of_another_shape_are_no_maps(shape):
    with pytest.raises(ValueError, match=r"where .* stored"):
        activation.pack_maps(np.zeros(shape, np.float32))


def test_the_strongest_place_is_that_of_all_cells_and_nothing_below_zero():
    stored = [activation.pack_maps(MAPS), activation.pack_maps(MAPS / 3)]

    assert activation.largest(stored) == 9
    assert activation.largest([activation.pack_maps(MAPS - 20)]) == 0
    assert activation.largest([]) == 0
