"""Pictures that show no single cell, drawn by code: to measure whether the model says so.

Blank frames, noise, scans of text, scenes as a telephone would take them, and whole fields made of
crops. The same seed makes the same pictures. Real photographs measure better still: give
``manage.py evaluate`` a folder of them with ``--external``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Chance = np.random.Generator
Draw = Callable[[Chance], Image.Image]

_WORDS = "sample slide received brush ethanol cover label request clinic date name lamp of the and"
_PERIODS = (2, 4, 8, 16, 32)  # halvings of a surface's coarsest grain


def drawn(seed: int = 1, each: int = 60) -> dict[str, list[Image.Image]]:
    """So many pictures of each kind that can be drawn out of nothing."""
    return {
        name: [draw(np.random.default_rng([seed, place, i])) for i in range(each)]
        for place, (name, draw) in enumerate(_KINDS.items())
    }


def fields(crops: Sequence[Image.Image], seed: int = 1, count: int = 60) -> Iterator[Image.Image]:
    """Whole fields of view: a dozen crops or more strewn over a slide of their own colour."""
    for i in range(count):
        chance = np.random.default_rng([seed, i])
        cells = [crops[k] for k in chance.integers(0, len(crops), int(chance.integers(12, 40)))]
        yield _field(cells, chance)


def _field(cells: Sequence[Image.Image], chance: Chance) -> Image.Image:
    field = Image.new("RGB", (1280, 960), _slide(cells[0]))
    for cell in cells:
        turned = cell.convert("RGB").rotate(90 * int(chance.integers(4)), expand=True)
        mask = Image.new("L", turned.size, 0)
        edge = min(turned.size) // 12
        box = (edge, edge, turned.width - edge, turned.height - edge)
        ImageDraw.Draw(mask).ellipse(box, fill=255)
        mask = mask.filter(ImageFilter.GaussianBlur(edge))
        place = (
            int(chance.integers(-turned.width // 3, field.width)),
            int(chance.integers(-turned.height // 3, field.height)),
        )
        field.paste(turned, place, mask)
    return field


def _slide(cell: Image.Image) -> tuple[int, int, int]:
    """The colour of the lightest pixels of a crop: what lies beside the cell."""
    pixels = np.asarray(cell.convert("RGB")).reshape(-1, 3)
    light = pixels[pixels.sum(axis=1) >= np.percentile(pixels.sum(axis=1), 90)]
    red, green, blue = np.median(light, axis=0).astype(int).tolist()
    return red, green, blue


def _size(chance: Chance) -> tuple[int, int]:
    width, height = chance.integers(90, 520, 2).tolist()
    return width, height


def _colour(chance: Chance, low: int = 0, high: int = 256) -> tuple[int, int, int]:
    red, green, blue = chance.integers(low, high, 3).tolist()
    return red, green, blue


def _blank(chance: Chance) -> Image.Image:
    """One colour from black to white, sometimes tinted, with a sensor's faint grain."""
    width, height = _size(chance)
    shade = np.full(3, chance.choice([0, 20, 128, 225, 240, 255]), dtype=float)
    shade += chance.uniform(-15, 15, 3)
    grain = chance.normal(0, chance.choice([0.0, 1.0, 2.0]), (height, width, 3))
    return _picture(shade + grain)


def _noise(chance: Chance) -> Image.Image:
    """Static: grey or coloured, fine or in blocks."""
    width, height = _size(chance)
    block = int(chance.choice([1, 1, 2, 4, 8]))
    shape = (height // block + 1, width // block + 1, int(chance.choice([1, 3])))
    grain = chance.integers(0, 256, shape).astype(float)
    whole = grain.repeat(block, axis=0).repeat(block, axis=1)[:height, :width]
    return _picture(np.broadcast_to(whole, (height, width, 3)))


def _text(chance: Chance) -> Image.Image:
    """A page of words: printed or on a screen, straight or tilted."""
    words = _WORDS.split()
    paper, ink = _colour(chance, 225), _colour(chance, 0, 90)
    if chance.random() < 1 / 5:
        paper, ink = ink, paper
    page = Image.new("RGB", (480, 480), paper)
    pen = ImageDraw.Draw(page)
    size = int(chance.integers(10, 40))
    font = ImageFont.load_default(size=size)
    for line in range(0, 480, round(size * 1.4)):
        chosen = [words[i] for i in chance.integers(0, len(words), 16)]
        pen.text((int(chance.integers(0, size)), line), " ".join(chosen), ink, font)
    page = page.rotate(float(chance.normal(0, 4)), fillcolor=paper)
    width, height = _size(chance)
    return page.crop((0, 0, min(width, 480), min(height, 480)))


def _scene(chance: Chance) -> Image.Image:
    """What a camera sees: light that falls off, surfaces with grain, things with edges."""
    width, height = _size(chance)
    picture = Image.new("RGB", (width, height), _colour(chance))
    horizon = int(height * chance.uniform(0.3, 0.7))
    _paste(picture, (0, 0, width, horizon), chance)
    _paste(picture, (0, horizon, width, height), chance)
    for _ in range(int(chance.integers(2, 9))):
        x, y = int(chance.integers(0, width)), int(chance.integers(0, height))
        reach = chance.integers(8, max(9, min(width, height) // 2), 2)
        box = (x, y, x + int(reach[0]), y + int(reach[1]))
        _paste(picture, box, chance, shape=str(chance.choice(["box", "disc", "triangle"])))
    light = np.linspace(chance.uniform(0.5, 1), chance.uniform(0.8, 1.3), width)[None, :, None]
    return _picture(np.asarray(picture, dtype=float) * light)


def _paste(
    picture: Image.Image, box: tuple[int, int, int, int], chance: Chance, shape: str = "box"
) -> None:
    """Fill a shape with a surface of some colour and grain."""
    width, height = max(2, box[2] - box[0]), max(2, box[3] - box[1])
    surface = _muted(_colour(chance), chance) + _grain(chance, width, height)[..., None]
    mask = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(mask)
    if shape == "disc":
        pen.ellipse((0, 0, width - 1, height - 1), fill=255)
    elif shape == "triangle":
        pen.polygon([(0, height), (width // 2, 0), (width, height)], fill=255)
    else:
        pen.rectangle((0, 0, width, height), fill=255)
    picture.paste(_picture(surface), (box[0], box[1]), mask)


def _muted(colour: tuple[int, int, int], chance: Chance) -> NDArray[np.float64]:
    """A colour with some of its grey in it: few things are as bright as paint."""
    values = np.array(colour, dtype=float)
    muted: NDArray[np.float64] = values.mean() + (values - values.mean()) * chance.uniform(0.1, 1)
    return muted


def _grain(chance: Chance, width: int, height: int) -> NDArray[np.float64]:
    """A surface's unevenness, coarse and fine, as clouds, leaves and cloth have it."""
    strength = chance.uniform(5, 60)
    total = np.zeros((height, width))
    for period in _PERIODS:
        rough = chance.normal(0, 1, (max(2, height * period // 128), max(2, width * period // 128)))
        smooth = Image.fromarray(rough.astype(np.float32))
        spread = smooth.resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(spread) * strength / np.sqrt(period)
    return total


def _picture(values: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


_KINDS: dict[str, Draw] = {"blank": _blank, "noise": _noise, "text": _text, "scenes": _scene}
