"""The colours of the five classes: seen against the page, and told apart by the colour-blind."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from inference.labels import CellClass

CSS = (Path(__file__).parents[2] / "static/css/dashboards.css").read_text()
TOKENS = re.findall(r"--cell-([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", CSS)
PALETTES = {"light": {name: light for name, light, _ in TOKENS}}
PALETTES["dark"] = {name: dark for name, _, dark in TOKENS}
SURFACES = {"light": "#ffffff", "dark": "#1c2226"}  # --surface of base.css
# How linear RGB is seen: G. M. Machado and others, A physiologically-based model for simulation of
# color vision deficiency, IEEE TVCG 15 (2009) 1291-1298, doi 10.1109/TVCG.2009.113, severity 1.
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = XYZ.sum(axis=1)
JUST_NOTICEABLE = 2.3  # CIE 1976 colour difference


def linear(colour):
    part = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """The ratio of WCAG 2.2."""
    dark, light = sorted((XYZ @ linear(colour))[1] for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(light):
    x, y, z = (XYZ @ np.clip(light, 0, 1)) / WHITE
    f = [np.cbrt(t) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z)]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", PALETTES)
def test_every_class_has_a_colour_that_stands_out_from_the_page(theme):
    assert list(PALETTES[theme]) == [cell_class.value.lower() for cell_class in CellClass]
    for colour in PALETTES[theme].values():
        assert contrast(colour, SURFACES[theme]) >= 3


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("theme", PALETTES)
def test_any_two_classes_are_told_apart_at_a_glance(theme, sight):
    seen = {name: lab(SIGHTS[sight] @ linear(c)) for name, c in PALETTES[theme].items()}

    for one, other in combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 5 * JUST_NOTICEABLE, (one, other)
