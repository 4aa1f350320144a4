"""From a file to the pixels the network sees: one function for training, serving and benchmarks."""

from __future__ import annotations

import struct
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PREPROCESSING_VERSION = "squash-bilinear-192-1"  # change it whenever a pixel would change
SIDE = 192  # pixels
MAX_PIXELS = 40_000_000
FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")

Source = bytes | Path | Image.Image

_DAMAGE = (  # what Pillow's decoders raise on files that lie about themselves
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zlib.error,
)


class UnreadableImage(Exception):
    """An image that cannot be read; its text is a sentence for people."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A picture as the network sees it, and the size in pixels it came in, upright."""

    pixels: NDArray[np.uint8]
    width: int
    height: int


def preprocess(source: Source) -> NDArray[np.uint8]:
    """Read an image as the network sees it: uint8, (192, 192, 3), rows first, RGB.

    The whole picture is squashed to the square by Pillow's bilinear filter, which averages when it
    shrinks. Scaling to zero mean and unit deviation is the network's first step, not ours.

    Raises:
        UnreadableImage: the file is missing, empty, damaged, too large or no image.

    """
    return read(source).pixels


def read(source: Source) -> Reading:
    """Read an image as ``preprocess`` does, and remember its size.

    Raises:
        UnreadableImage: as there.

    """
    if isinstance(source, Image.Image):
        return _reading(source)
    try:
        content = source.read_bytes() if isinstance(source, Path) else source
    except OSError as error:
        raise UnreadableImage(f"The file cannot be opened: {error.strerror}.") from error
    if not content:
        raise UnreadableImage("The file is empty.")
    try:
        # Pillow warns of odd metadata, which is not ours to judge, and of sizes, which we check
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(BytesIO(content), formats=FORMATS) as image,
        ):
            return _reading(image)
    except UnidentifiedImageError as error:
        known = ", ".join(FORMATS)
        raise UnreadableImage(f"The file is not an image of a known kind ({known}).") from error
    except Image.DecompressionBombError as error:
        raise UnreadableImage(_too_large()) from error
    except _DAMAGE as error:
        raise UnreadableImage("The image is damaged or incomplete.") from error


def _reading(image: Image.Image) -> Reading:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UnreadableImage(_too_large())
    if width * height == 0:
        raise UnreadableImage("The image has no pixels.")
    try:
        upright = ImageOps.exif_transpose(image)
        squashed = _rgb(upright).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    except _DAMAGE as error:
        raise UnreadableImage("The image is damaged or incomplete.") from error
    return Reading(np.array(squashed, dtype=np.uint8), *upright.size)


def _rgb(image: Image.Image) -> Image.Image:
    """Eight bits of red, green and blue; what is transparent becomes white, as on a slide."""
    if image.mode == "F":
        raise UnreadableImage("The image holds floating-point numbers, not colours.")
    if image.mode.startswith("I"):
        deep = np.asarray(image).astype(np.int64)
        image = Image.fromarray((np.clip(deep, 0, 65535) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        image = Image.alpha_composite(white, layer)
    return image.convert("RGB")


def _too_large() -> str:
    return f"The image has more than {MAX_PIXELS // 1_000_000} megapixels."
