"""Plain looks at a picture, beside the network: whether it is blank, blurred, tiny, unstained.

Each measure is taken on the pixels the network sees. The thresholds lie just outside what the
2,384 training crops of SIPaKMeD show, so that one in several hundred known cells is questioned;
``manage.py evaluate MODEL DATA --split train --json FILE`` prints the percentiles again.

====================  =====================================  ==================  =========
measure               of                                     training crops      threshold
====================  =====================================  ==================  =========
contrast              deviation of lightness, 0 to 127       8.1 (smallest)      5
coarse detail         Laplacian at 28 x 28                   3.1 (0.1 percent)   3.0
the same by contrast                                         0.11 (0.1 percent)  0.11
fine detail           Laplacian at 112 x 112, by contrast    0.56 (largest)      0.65
colour                mean of largest less smallest channel  7.8 (smallest)      5
side                  the shorter one, pixels                48 (smallest)       32
====================  =====================================  ==================  =========

Several nuclei in one crop are not looked for, because it cannot be done honestly by plain looks.
Dark, compact, separate blobs were counted, by light and by haematoxylin after colour deconvolution,
under 432 settings of size, fill, roundness, contrast and distance from the edge, on 300 crops of
SIPaKMeD and 120 pairs of crops set side by side: the best setting that questions fewer than 2 % of
the crops finds 17 % of the pairs (14 % by haematoxylin), and to find 44 % it questions 24 %. Crops
show their neighbours' nuclei, folds and overlaps, and pale nuclei are no darker than cytoplasm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.preprocess import Reading

LEAST_CONTRAST = 5.0
LEAST_COARSE = 3.0
LEAST_COARSE_SHARE = 0.11
MOST_FINE_SHARE = 0.65
LEAST_COLOUR = 5.0
LEAST_SIDE = 32  # pixels
BLANK = "The picture is blank."

_LIGHTNESS = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # of red, green, blue


@dataclass(frozen=True, slots=True)
class Looks:
    """What is measured of a picture; the module says what each number is."""

    contrast: float
    coarse: float
    coarse_share: float
    fine_share: float
    colour: float
    side: int


def look(picture: Reading) -> Looks:
    """Measure a picture: under a millisecond."""
    halves = _halved(picture.pixels)
    lightness = halves @ _LIGHTNESS
    contrast = float(lightness.std())
    coarse = _detail(_halved(_halved(lightness)))
    red, green, blue = (halves[..., channel] for channel in range(3))
    largest = np.maximum(np.maximum(red, green), blue)
    smallest = np.minimum(np.minimum(red, green), blue)
    return Looks(
        contrast=contrast,
        coarse=coarse,
        coarse_share=coarse / (contrast + 1),
        fine_share=_detail(lightness) / (contrast + 1),
        colour=float((largest - smallest).mean()),
        side=min(picture.width, picture.height),
    )


def reasons(picture: Reading) -> tuple[str, ...]:
    """Why a picture is no good crop of a stained cell, in sentences; none where it may be one."""
    looks = look(picture)
    if looks.contrast < LEAST_CONTRAST:
        return (BLANK,)
    found = []
    if looks.side < LEAST_SIDE:
        found.append(
            f"The picture is tiny: {picture.width} x {picture.height} pixels, "
            f"and {LEAST_SIDE} are needed each way."
        )
    elif looks.coarse < LEAST_COARSE or looks.coarse_share < LEAST_COARSE_SHARE:
        found.append("The picture is blurred.")
    if looks.fine_share > MOST_FINE_SHARE:
        found.append("The picture is full of fine detail, as text, noise and photographs are.")
    if looks.colour < LEAST_COLOUR:
        found.append("The picture has no colour, so it shows no stained cell.")
    return tuple(found)


def _halved(pixels: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Each two by two pixels as their mean; sums first, for they are exact and quick."""
    summed = pixels[0::2].astype(np.float32) + pixels[1::2]
    means: NDArray[np.float32] = (summed[:, 0::2] + summed[:, 1::2]) * np.float32(0.25)
    return means


def _detail(lightness: NDArray[np.float32]) -> float:
    """The root mean square of the Laplacian: how much neighbours differ."""
    inner = 4 * lightness[1:-1, 1:-1]
    around = lightness[:-2, 1:-1] + lightness[2:, 1:-1] + lightness[1:-1, :-2] + lightness[1:-1, 2:]
    return float(np.sqrt(np.square(inner - around).mean()))
