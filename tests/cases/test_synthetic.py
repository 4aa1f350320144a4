"""Cells drawn by code: the same each time, like their class, and marked for what they are."""

from io import BytesIO

import numpy as np
import pytest

from cases import intake, synthetic
from cases.synthetic import Absurdity
from inference.labels import CellClass

LIMITS = intake.Limits(
    max_bytes=2**20, max_pixels=1_000_000, archive_max_files=5, archive_max_bytes=2**21
)


def light(image):
    return float(np.asarray(image.convert("L")).mean())


def hue(image):
    """Red less blue, on the average."""
    red, _, blue = np.asarray(image).astype(float).mean(axis=(0, 1))
    return red - blue


@pytest.mark.parametrize("cell_class", CellClass)
def test_the_same_seed_draws_the_same_cell_and_another_seed_another(cell_class):
    first, again = synthetic.draw(cell_class, 7), synthetic.draw(cell_class, 7)
    other = synthetic.draw(cell_class, 8)

    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_two_classes_of_one_seed_differ():
    drawn = {synthetic.draw(cell_class, 1).tobytes() for cell_class in CellClass}

    assert len(drawn) == len(CellClass)


@pytest.mark.parametrize("cell_class", CellClass)
def test_a_cell_is_as_large_as_its_class_unless_a_size_is_asked_for(cell_class):
    sides = [side for seed in range(5) for side in synthetic.draw(cell_class, seed).size]
    low, high = synthetic.RECIPES[cell_class].side

    assert all(0.9 * low <= side <= 1.12 * high for side in sides)
    assert synthetic.draw(cell_class, 1, size=96).size == (96, 96)


@pytest.mark.parametrize("cell_class", CellClass)
def test_the_nucleus_in_the_middle_is_darker_than_the_cell(cell_class):
    for seed in range(4):
        image = synthetic.draw(cell_class, seed)
        width, height = image.size
        box = (width // 3, height // 3, 2 * width // 3, 2 * height // 3)

        darkest = np.percentile(np.asarray(image.crop(box).convert("L")), 3)

        assert darkest < light(image) - 8


def test_the_classes_have_the_colours_of_their_stains():
    orange = np.mean([hue(synthetic.draw(CellClass.DYSKERATOTIC, seed)) for seed in range(6)])
    blue = np.mean([hue(synthetic.draw(CellClass.PARABASAL, seed)) for seed in range(6)])

    assert orange > 20
    assert blue < -20


@pytest.mark.parametrize("cell_class", CellClass)
def test_every_picture_is_marked_in_its_corner(cell_class):
    image = synthetic.draw(cell_class, 3)
    corner = image.crop((image.width - 20, image.height - 20, *image.size)).convert("L")

    assert np.ptp(np.asarray(corner)) > 90


def test_the_name_says_what_it_is():
    name = synthetic.file_name(CellClass.KOILOCYTOTIC, 7)

    assert name == "synthetic-koilocytotic-0007.png"
    assert intake.clean_name(name) == name
    assert (
        synthetic.file_name(CellClass.SUPERFICIAL_INTERMEDIATE, 12)
        == "synthetic-superficial-intermediate-0012.png"
    )


@pytest.mark.parametrize("kind", Absurdity)
def test_an_absurd_picture_is_a_picture_all_the_same(kind):
    image = synthetic.draw_absurd(kind, seed=2, size=120)
    file = BytesIO()
    image.save(file, "PNG")

    kept = intake.read(file.getvalue(), LIMITS)

    assert (kept.width, kept.height) == (120, 120)
    assert image.tobytes() == synthetic.draw_absurd(kind, seed=2, size=120).tobytes()


def test_a_picture_between_two_classes_lies_halfway_and_is_the_same_each_time():
    two = CellClass.KOILOCYTOTIC, CellClass.METAPLASTIC

    image = synthetic.draw_between(*two, seed=2)

    one, other = (np.asarray(synthetic.draw(cell_class, 2, 180), float) for cell_class in two)
    assert np.abs(np.asarray(image, float) - (one + other) / 2).max() <= 1
    assert image.tobytes() == synthetic.draw_between(*two, seed=2).tobytes()
