"""Activation maps measured, on pictures whose cell and whose cause are known."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from inference import activation
from inference.classifier import Classifier
from inference.runtime import Answers


def cell(x=112, y=112):
    """A cell of radius 70 with a nucleus of radius 25 on a light slide."""
    image = Image.new("RGB", (192, 192), (230, 226, 235))
    pen = ImageDraw.Draw(image)
    pen.ellipse((x - 70, y - 70, x + 70, y + 70), fill=(150, 170, 190))
    pen.ellipse((x - 25, y - 25, x + 25, y + 25), fill=(50, 30, 70))
    return np.asarray(image)


def test_cell_and_nucleus_are_told_from_the_slide():
    whole, nucleus = activation.masks(cell())

    assert whole.sum() == pytest.approx(np.pi * 70**2, rel=0.02)
    assert nucleus.sum() == pytest.approx(np.pi * 25**2, rel=0.05)
    assert (whole | ~nucleus).all()


def test_the_stain_of_nuclei_is_told_from_eosin_and_from_light_alone():
    stains = {"haematoxylin": (0.65, 0.70, 0.29), "eosin": (0.07, 0.99, 0.11)}
    image = Image.new("RGB", (192, 192), (240, 240, 240))
    pen = ImageDraw.Draw(image)
    pen.ellipse((20, 20, 172, 172), fill=coloured(stains["eosin"], 0.6))
    pen.ellipse((90, 90, 130, 130), fill=coloured(stains["haematoxylin"], 1.2))
    pen.ellipse((40, 60, 70, 90), fill=coloured(stains["eosin"], 1.6))  # as dark, another stain

    found = activation.stained_nucleus(np.asarray(image))

    assert found[110, 110]
    assert not found[75, 55]
    assert found.sum() == pytest.approx(np.pi * 20**2, rel=0.1)


def coloured(stain, amount):
    """What so much of a stain leaves of the slide's light."""
    return tuple(round(241 * np.exp(-amount * share) - 1) for share in stain)


def test_a_map_on_the_nucleus_lies_there_and_one_in_a_corner_does_not():
    centre, corner = np.zeros((2, 6, 6), dtype=np.float32)
    centre[3, 3], corner[0, 0] = 5, 5

    on_cell, of_cell, on_nucleus, of_nucleus = activation.on_cell(centre, cell())
    astray = activation.on_cell(corner, cell())

    assert on_cell > 0.99
    assert of_cell < 0.5
    assert on_nucleus > 0.7
    assert of_nucleus < 0.1
    assert astray[0] == astray[2] == 0


def test_what_speaks_against_a_class_does_not_count():
    map_ = np.full((6, 6), -9, dtype=np.float32)
    map_[3, 3] = 1

    assert activation.on_cell(map_, cell())[0] > 0.99


class Darkness:
    """A network that finds what is dark in one place, and says where it looked."""

    def __init__(self, honest):
        self.honest = honest

    def answer(self, pixels):
        places = 255 - pixels.reshape(-1, 6, 32, 6, 32, 3).mean(axis=(2, 4, 5))
        logits = np.zeros((len(pixels), 5), dtype=np.float32)
        logits[:, 3] = places[:, 3, 3] / 20
        maps = np.zeros((len(pixels), 5, 6, 6), dtype=np.float32)
        maps[:, 3, 3, 3] = 1 if self.honest else -1
        return Answers(logits, np.zeros((len(pixels), 4), dtype=np.float32), maps)


def test_places_that_matter_are_missed_at_once_and_bring_the_class_back_at_once():
    pictures = [Image.fromarray(cell())] * 4

    honest = activation.measure(Classifier(Darkness(honest=True), "honest"), pictures)
    astray = activation.measure(Classifier(Darkness(honest=False), "astray"), pictures)

    assert honest["deletion_map"] < honest["deletion_random"] < astray["deletion_map"]
    assert honest["insertion_map"] > honest["insertion_random"] > astray["insertion_map"]
    assert (honest["cells"], list(honest["per_class"])) == (4, ["Parabasal"])
    assert honest["curves_per_class"]["Parabasal"]["deletion_map"] == honest["deletion_map"]
    assert honest["stain"]["Parabasal"] == honest["stain"]["all"]
