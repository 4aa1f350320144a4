"""Pictures that show no cell: the same seed draws the same, another draws others."""

import numpy as np
import pytest

from inference import absurd
from inference.labels import CellClass
from tests.inference.conftest import draw


@pytest.mark.parametrize("kind", ["blank", "noise", "text", "scenes"])
def test_a_seed_draws_the_same_pictures_and_another_draws_others(kind):
    first, again = absurd.drawn(3, 4)[kind], absurd.drawn(3, 4)[kind]
    other = absurd.drawn(4, 4)[kind]

    assert [a.tobytes() for a in first] == [b.tobytes() for b in again]
    assert [a.tobytes() for a in first] != [b.tobytes() for b in other]
    assert len({picture.tobytes() for picture in first}) == 4


def test_a_field_shows_many_crops_on_their_own_slide():
    crops = [draw(one, number) for one in CellClass for number in range(3)]

    [field, again] = absurd.fields(crops, seed=2, count=2)

    pixels = np.asarray(field)
    assert field.size == (1280, 960)
    assert field.tobytes() != again.tobytes()
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000
    assert np.median(pixels, axis=(0, 1)) == pytest.approx([232, 228, 234], abs=2)
