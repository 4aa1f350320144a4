"""The plain looks at a picture: each finds what it is for and leaves cells alone."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from inference import absurd, checks
from inference.labels import CellClass
from inference.preprocess import read
from tests.inference.conftest import draw


def found(picture):
    return " ".join(checks.reasons(read(picture)))


@pytest.fixture(scope="module")
def drawn():
    return absurd.drawn(each=12)


def test_a_cell_passes():
    cells = [draw(one, number) for one in CellClass for number in range(4)]

    assert [found(cell) for cell in cells] == [""] * 20


@pytest.mark.parametrize("colour", ["black", "white", "#e8e4ea", "#40a080"])
def test_a_picture_of_one_colour_is_blank(colour):
    assert found(Image.new("RGB", (120, 90), colour)) == "The picture is blank."


def test_faint_grain_is_blank_too(drawn):
    assert {found(picture) for picture in drawn["blank"]} == {"The picture is blank."}


def test_a_gross_blur_is_seen():
    cell = draw(CellClass.PARABASAL, 1, side=200)

    assert found(cell.filter(ImageFilter.GaussianBlur(24))) == "The picture is blurred."


def test_a_tiny_picture_is_told_its_size():
    cell = draw(CellClass.PARABASAL, 1)

    assert "31 x 60 pixels, and 32 are needed" in found(cell.resize((31, 60)))
    assert "tiny" not in found(cell.resize((32, 60)))


def test_a_picture_without_colour_shows_no_stain():
    assert "no stained cell" in found(draw(CellClass.METAPLASTIC, 1).convert("L"))


@pytest.mark.parametrize("kind", ["text", "noise"])
def test_text_and_noise_are_full_of_fine_detail(drawn, kind):
    assert all("fine detail" in found(picture) for picture in drawn[kind])


def test_one_real_crop_in_a_hundred_at_most_is_questioned(sipakmed):
    crops = sorted(sipakmed.glob("im_*/*.jpg"))[::12]

    questioned = [path for path in crops if found(path)]

    assert len(questioned) <= len(crops) / 100


def test_the_measures_do_not_depend_on_how_the_picture_is_turned():
    pixels = np.asarray(draw(CellClass.DYSKERATOTIC, 3))

    upright = checks.look(read(Image.fromarray(pixels)))
    turned = checks.look(read(Image.fromarray(np.rot90(pixels).copy())))

    assert upright.fine_share == pytest.approx(turned.fine_share, rel=0.02)
    assert upright.colour == pytest.approx(turned.colour, rel=0.02)
