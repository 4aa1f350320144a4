"""Cells drawn by code, as like the five classes as code can make them: for demonstration and tests.

No pixel comes from a photograph. A picture is a slide seen through: each layer of stain takes its
colour out of the light of the layers below, as cytoplasm and nuclei do under a microscope.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from inference.labels import CellClass

Field = NDArray[np.float64]  # a number a pixel
Canvas = NDArray[np.float64]  # three numbers a pixel, 0 dark to 1 light
Light = NDArray[np.float64]  # three numbers, the share of red, green and blue
Colour = tuple[int, int, int]
Range = tuple[float, float]

MARK = "S"  # for synthetic, in a corner of every picture
TURN = 2 * np.pi
DIRECTIONS = np.linspace(0, TURN, 721)  # an outline is a radius for each of them


@dataclass(frozen=True, slots=True)
class Stain:
    """The colours of one preparation as they are seen: bare slide, a cell on it, its nucleus."""

    slide: Colour
    cytoplasm: Colour
    nucleus: Colour

    @property
    def of_cytoplasm(self) -> Light:
        """What of the slide's light a cell lets through."""
        return _light(self.cytoplasm) / _light(self.slide)

    @property
    def of_nucleus(self) -> Light:
        """What of the light that comes through a cell its nucleus lets through."""
        return _light(self.nucleus) / _light(self.cytoplasm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What the cells of a class have in common. Radii are shares: of the picture, of the cell."""

    side: Range
    stains: Sequence[Stain]
    radius: Range
    length: Range  # long axis by short axis
    corners: int
    angularity: float  # 0 a circle, 1 straight edges
    wobble: float
    nucleus: Range
    nucleus_length: Range
    nucleus_wobble: float
    off_centre: float
    chromatin: float  # how coarse and dark the clumps are
    texture: float
    rim: float
    halo: Range = (0.0, 0.0)  # of the nucleus; none where 0
    second_nucleus: float = 0.0  # how often there is one
    folds: float = 0.0
    neighbours: int = 2
    blur: Range = (0.6, 1.0)


RECIPES = {
    CellClass.DYSKERATOTIC: Recipe(
        side=(82, 170),
        stains=[
            Stain((196, 176, 164), (192, 78, 44), (44, 18, 36)),
            Stain((104, 88, 82), (128, 56, 28), (36, 18, 20)),
            Stain((196, 168, 180), (160, 88, 96), (58, 28, 48)),
            Stain((176, 158, 140), (184, 94, 60), (52, 28, 40)),
            Stain((140, 104, 92), (166, 60, 30), (40, 16, 28)),
        ],
        radius=(0.45, 0.56),
        length=(1.0, 1.45),
        corners=6,
        angularity=0.45,
        wobble=0.05,
        nucleus=(0.36, 0.52),
        nucleus_length=(1.0, 1.6),
        nucleus_wobble=0.07,
        off_centre=0.14,
        chromatin=0.18,
        texture=0.14,
        rim=0.35,
        second_nucleus=0.15,
        blur=(1.2, 2.2),
    ),
    CellClass.KOILOCYTOTIC: Recipe(
        side=(116, 240),
        stains=[
            Stain((222, 216, 226), (182, 166, 186), (106, 92, 116)),
            Stain((206, 206, 192), (152, 152, 146), (86, 86, 96)),
            Stain((184, 154, 174), (142, 108, 132), (104, 76, 104)),
            Stain((216, 222, 225), (162, 166, 172), (82, 76, 92)),
        ],
        radius=(0.42, 0.49),
        length=(1.05, 1.5),
        corners=7,
        angularity=0.5,
        wobble=0.05,
        nucleus=(0.34, 0.46),
        nucleus_length=(1.1, 1.5),
        nucleus_wobble=0.07,
        off_centre=0.16,
        chromatin=0.32,
        texture=0.26,
        rim=0.9,
        halo=(1.45, 1.85),
        second_nucleus=0.25,
        blur=(0.8, 1.3),
    ),
    CellClass.METAPLASTIC: Recipe(
        side=(150, 260),
        stains=[
            Stain((186, 196, 192), (46, 120, 126), (26, 62, 86)),
            Stain((170, 186, 166), (52, 106, 92), (30, 52, 62)),
            Stain((196, 208, 226), (92, 148, 180), (92, 72, 122)),
            Stain((96, 124, 124), (34, 82, 88), (22, 52, 66)),
        ],
        radius=(0.43, 0.49),
        length=(1.0, 1.25),
        corners=8,
        angularity=0.25,
        wobble=0.03,
        nucleus=(0.28, 0.36),
        nucleus_length=(1.0, 1.3),
        nucleus_wobble=0.03,
        off_centre=0.12,
        chromatin=0.22,
        texture=0.16,
        rim=0.55,
        blur=(0.9, 1.5),
    ),
    CellClass.PARABASAL: Recipe(
        side=(130, 270),
        stains=[
            Stain((186, 202, 238), (150, 190, 220), (104, 140, 182)),
            Stain((150, 156, 206), (126, 134, 186), (110, 98, 158)),
            Stain((172, 202, 226), (140, 184, 206), (102, 144, 174)),
            Stain((204, 210, 244), (172, 190, 228), (128, 152, 196)),
            Stain((140, 150, 196), (118, 130, 178), (106, 98, 156)),
        ],
        radius=(0.50, 0.64),
        length=(1.0, 1.3),
        corners=9,
        angularity=0.1,
        wobble=0.03,
        nucleus=(0.34, 0.46),
        nucleus_length=(1.0, 1.45),
        nucleus_wobble=0.02,
        off_centre=0.12,
        chromatin=0.08,
        texture=0.05,
        rim=0.03,
        blur=(2.8, 4.5),
    ),
    CellClass.SUPERFICIAL_INTERMEDIATE: Recipe(
        side=(260, 340),
        stains=[
            Stain((220, 212, 225), (170, 165, 185), (86, 60, 90)),
            Stain((228, 215, 232), (234, 130, 150), (90, 46, 66)),
            Stain((214, 222, 235), (126, 170, 192), (60, 75, 100)),
            Stain((216, 206, 206), (234, 130, 112), (80, 40, 46)),
            Stain((168, 166, 170), (128, 132, 142), (70, 60, 76)),
        ],
        radius=(0.43, 0.49),
        length=(1.0, 1.25),
        corners=6,
        angularity=0.95,
        wobble=0.03,
        nucleus=(0.09, 0.14),
        nucleus_length=(1.0, 1.3),
        nucleus_wobble=0.03,
        off_centre=0.15,
        chromatin=0.25,
        texture=0.12,
        rim=0.3,
        folds=0.5,
        neighbours=3,
        blur=(0.5, 0.9),
    ),
}


def file_name(cell_class: CellClass, seed: int) -> str:
    """The name a drawn cell goes by, which says what it is: intake strips every other mark."""
    return f"synthetic-{cell_class.lower()}-{seed:04d}.png"


def draw(cell_class: CellClass, seed: int, size: int | None = None) -> Image.Image:
    """One cell of a class; the same class, seed and size make the same picture."""
    recipe = RECIPES[cell_class]
    chance = _chance(cell_class, seed)
    width, height = _shape(recipe, chance, size)
    stain = recipe.stains[int(chance.integers(len(recipe.stains)))]
    canvas = np.ones((height, width, 3)) * _light(stain.slide)
    _draw_haze(canvas, stain, chance)
    canvas *= 1 + 0.10 * _noise(chance, height, width, 2)[..., None]
    for _ in range(chance.integers(recipe.neighbours + 1)):
        _draw_neighbour(canvas, recipe, stain, chance)
    _draw_cell(canvas, recipe, stain, chance)
    _draw_debris(canvas, chance)
    return _marked(_photographed(canvas, chance, _within(chance, recipe.blur)))


def draw_between(one: CellClass, other: CellClass, seed: int, size: int = 180) -> Image.Image:
    """A picture that is as much a cell of the one class as of the other."""
    return Image.blend(draw(one, seed, size), draw(other, seed, size), 0.5)


class Absurdity(StrEnum):
    """What somebody may upload that is a picture and no cell."""

    BLACK = "black"
    LANDSCAPE = "landscape"
    PAGE = "page"


def draw_absurd(kind: Absurdity, seed: int = 0, size: int = 200) -> Image.Image:
    """A picture that shows no cell at all."""
    return _ABSURD[kind](np.random.default_rng(seed), size)


# --- The parts of a cell


def _chance(cell_class: CellClass, seed: int) -> np.random.Generator:
    name = sha256(f"{cell_class.value} {seed}".encode()).digest()
    return np.random.default_rng(int.from_bytes(name[:8], "big"))


def _shape(recipe: Recipe, chance: np.random.Generator, size: int | None) -> tuple[int, int]:
    side = _within(chance, recipe.side)
    proportion = chance.uniform(0.85, 1.18)
    if size is not None:
        return size, size
    return round(side * proportion**0.5), round(side / proportion**0.5)


def _draw_cell(canvas: Canvas, recipe: Recipe, stain: Stain, chance: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    centre = (
        width * (0.5 + chance.normal(0, 0.015)),
        height * (0.5 + chance.normal(0, 0.015)),
    )
    radius = _within(chance, recipe.radius) * min(width, height)
    scale = (width / min(width, height), height / min(width, height))
    body = _outline(canvas, chance, centre, radius, recipe, scale=scale)
    nuclei = _nuclei(canvas, recipe, chance, centre, radius)
    cytoplasm = _cytoplasm(canvas, recipe, chance, body, radius)
    if recipe.halo[1]:
        cytoplasm = _with_halo(cytoplasm, nuclei[0], _within(chance, recipe.halo), chance)
    _stain(canvas, stain.of_cytoplasm, cytoplasm)
    for nucleus in nuclei:
        _draw_nucleus(canvas, stain.of_nucleus, nucleus, recipe.chromatin, chance)


def _cytoplasm(
    canvas: Canvas, recipe: Recipe, chance: np.random.Generator, body: Field, radius: float
) -> Field:
    """How much stain the body of the cell holds at each place."""
    height, width = canvas.shape[:2]
    inside = _inside(body, radius, softness=1.5)
    texture = recipe.texture * (
        _noise(chance, height, width, 4) + 0.7 * _noise(chance, height, width, max(width // 7, 4))
    )
    border = recipe.rim * 0.5 * np.exp(-(((body - 0.95) / 0.05) ** 2))
    folds = np.zeros_like(body)
    for _ in range(round(recipe.folds * 6)):
        folds += _fold(canvas, chance)
    return inside * np.clip(0.92 + texture + border + 0.22 * folds, 0, 2)


def _fold(canvas: Canvas, chance: np.random.Generator) -> Field:
    """A thin line along which a flat cell lies double."""
    y, x = _places(canvas)
    angle, bend = chance.uniform(0, TURN), chance.normal(0, 0.4)
    side = min(canvas.shape[:2])
    along = ((x - x.mean()) * np.cos(angle) + (y - y.mean()) * np.sin(angle)) / side
    across = ((y - y.mean()) * np.cos(angle) - (x - x.mean()) * np.sin(angle)) / side
    distance = across - bend * along**2 - chance.uniform(-0.35, 0.35)
    reach = np.exp(-(((along - chance.uniform(-0.3, 0.3)) / 0.18) ** 2))
    line: Field = np.exp(-((distance / 0.008) ** 2)) * reach
    return line


def _with_halo(
    cytoplasm: Field, nucleus: Field, reach: float, chance: np.random.Generator
) -> Field:
    """A clear space with a sharp edge round the nucleus, and what it displaced packed around it."""
    height, width = cytoplasm.shape
    ragged = nucleus * (1 + 0.10 * _noise(chance, height, width, 5))
    clear = 1 / (1 + np.exp(np.clip((ragged - reach) * 10, -60, 60)))
    packed = np.exp(-(((ragged - reach - 0.25) / 0.2) ** 2))
    return cytoplasm * (1 - 0.62 * clear) + cytoplasm * 0.6 * packed


def _nuclei(
    canvas: Canvas,
    recipe: Recipe,
    chance: np.random.Generator,
    centre: tuple[float, float],
    radius: float,
) -> list[Field]:
    """Distance from the middle of each nucleus in its radii, so that 1 is its edge."""
    size = _within(chance, recipe.nucleus) * radius
    away, angle = chance.uniform(0, recipe.off_centre) * radius, chance.uniform(0, TURN)
    first = (centre[0] + away * np.cos(angle), centre[1] + away * np.sin(angle))
    places = [first]
    if chance.random() < recipe.second_nucleus:
        size *= 0.82
        apart, angle = size * chance.uniform(1.0, 1.5), chance.uniform(0, TURN)
        places.append((first[0] + apart * np.cos(angle), first[1] + apart * np.sin(angle)))
    return [_nucleus(canvas, recipe, chance, place, size) for place in places]


def _nucleus(
    canvas: Canvas,
    recipe: Recipe,
    chance: np.random.Generator,
    place: tuple[float, float],
    size: float,
) -> Field:
    y, x = _places(canvas)
    length = _within(chance, recipe.nucleus_length) ** 0.5
    distance, angle = _polar(x - place[0], y - place[1], chance.uniform(0, TURN), length)
    field: Field = distance / _towards(angle, size * _wobbling(chance, recipe.nucleus_wobble))
    return field


def _draw_nucleus(
    canvas: Canvas, light: Light, nucleus: Field, chromatin: float, chance: np.random.Generator
) -> None:
    height, width = nucleus.shape
    inside = 1 / (1 + np.exp(np.clip((nucleus - 1) * 16, -60, 60)))
    grains = _noise(chance, height, width, max(width // 4, 8))
    clumps = _noise(chance, height, width, max(width // 11, 6))
    membrane = np.exp(-(((nucleus - 0.94) / 0.07) ** 2))
    density = 0.95 + chromatin * (0.5 * grains + 0.8 * clumps + 1.1 * membrane)
    _stain(canvas, light, inside * np.clip(density, 0.4, 2.2))


def _draw_neighbour(
    canvas: Canvas, recipe: Recipe, stain: Stain, chance: np.random.Generator
) -> None:
    """Another cell, mostly outside the picture."""
    height, width = canvas.shape[:2]
    angle = chance.uniform(0, TURN)
    side = min(height, width)
    away = side * chance.uniform(0.72, 0.95)
    centre = (width / 2 + away * np.cos(angle), height / 2 + away * np.sin(angle))
    radius = side * chance.uniform(0.3, 0.5)
    body = _outline(canvas, chance, centre, radius, recipe)
    _stain(canvas, stain.of_cytoplasm, 0.8 * _cytoplasm(canvas, recipe, chance, body, radius))
    for nucleus in _nuclei(canvas, recipe, chance, centre, radius):
        _draw_nucleus(canvas, stain.of_nucleus, nucleus, recipe.chromatin, chance)


def _draw_haze(canvas: Canvas, stain: Stain, chance: np.random.Generator) -> None:
    """Cells above and below the focus: patches of stain without an edge."""
    height, width = canvas.shape[:2]
    patches = _noise(chance, height, width, 3) * chance.uniform(0.1, 0.5)
    _stain(canvas, stain.of_cytoplasm, np.clip(patches, 0, 0.8))


def _draw_debris(canvas: Canvas, chance: np.random.Generator) -> None:
    y, x = _places(canvas)
    height, width = canvas.shape[:2]
    for _ in range(chance.integers(5)):
        place = (chance.uniform(0, width), chance.uniform(0, height))
        if np.hypot(place[0] - width / 2, place[1] - height / 2) < 0.38 * min(width, height):
            continue
        radius = min(width, height) * chance.uniform(0.006, 0.03)
        distance = np.hypot(x - place[0], y - place[1]) / radius
        _stain(
            canvas,
            np.array((0.5, 0.4, 0.55)),
            chance.uniform(0.3, 1.2) * _inside(distance, radius, 1.0),
        )


# --- Geometry, light and noise


def _places(canvas: Canvas) -> tuple[Field, Field]:
    y, x = np.mgrid[: canvas.shape[0], : canvas.shape[1]].astype(float)
    return y, x


def _polar(x: Field, y: Field, turn: float, length: float) -> tuple[Field, Field]:
    """Distance and angle round a place, in a plane stretched along one direction."""
    along = (x * np.cos(turn) + y * np.sin(turn)) / length
    across = (y * np.cos(turn) - x * np.sin(turn)) * length
    return np.hypot(along, across), np.arctan2(across, along)


def _outline(  # noqa: PLR0913 -- a place, a size and the look of it
    canvas: Canvas,
    chance: np.random.Generator,
    centre: tuple[float, float],
    radius: float,
    recipe: Recipe,
    *,
    scale: tuple[float, float] = (1.0, 1.0),
) -> Field:
    """Distance from the middle of a cell in its radii, so that 1 is its edge."""
    y, x = _places(canvas)
    length = min(_within(chance, recipe.length), 1.3) ** 0.5
    distance, angle = _polar(
        (x - centre[0]) / scale[0], (y - centre[1]) / scale[1], chance.uniform(0, TURN), length
    )
    edge = (1 - recipe.angularity) + recipe.angularity * _polygon(chance, recipe.corners)
    field: Field = distance / _towards(angle, radius * edge * _wobbling(chance, recipe.wobble))
    return field


def _towards(angle: Field, outline: Field) -> Field:
    """The radius of an outline in the direction of each pixel."""
    return np.interp(angle.ravel() % TURN, DIRECTIONS, outline).reshape(angle.shape)


def _polygon(chance: np.random.Generator, corners: int) -> Field:
    """The radius of an irregular polygon in each direction."""
    steps = chance.uniform(0.6, 1.4, corners)
    directions = np.cumsum(steps) / steps.sum() * TURN
    radii = chance.uniform(0.88, 1.15, corners)
    starts = np.concatenate([[0.0], directions[:-1]])
    index = np.clip(np.searchsorted(directions, DIRECTIONS, side="right"), 0, corners - 1)
    first, second = radii[index - 1], radii[index]
    width, into = directions[index] - starts[index], DIRECTIONS - starts[index]
    line: Field = (
        first
        * second
        * np.sin(width)
        / np.maximum(first * np.sin(into) + second * np.sin(width - into), 1e-3)
    )
    return np.clip(line, 0.6, 1.25)


def _wobbling(chance: np.random.Generator, much: float) -> Field:
    """About 1 in each direction, in slow waves and a few quick ones."""
    waves = np.ones_like(DIRECTIONS)
    for count in range(2, 9):
        waves += chance.normal(0, much * 1.5 / count) * np.cos(
            count * DIRECTIONS + chance.uniform(0, TURN)
        )
    return np.clip(waves, 0.5, 1.5)


def _inside(field: Field, radius: float, softness: float) -> Field:
    share: Field = 1 / (1 + np.exp(np.clip((field - 1) * radius / softness, -60, 60)))
    return share


def _noise(chance: np.random.Generator, height: int, width: int, cells: int) -> Field:
    """Smooth noise about 0: random values on a coarse grid, and waves between them."""
    grid = chance.normal(0, 1, (max(cells * height // width, 2), max(cells, 2)))
    image = Image.fromarray(grid.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), dtype=float)


def _light(colour: Colour) -> Light:
    return np.asarray(colour, dtype=float) / 255


def _stain(canvas: Canvas, light: Light, density: Field) -> None:
    """Let light through only as this much of a stain does: twice the stain, the square of it."""
    canvas *= np.clip(light, 0.02, 1) ** density[..., None]


def _within(chance: np.random.Generator, bounds: Range) -> float:
    return float(chance.uniform(*bounds))


def _photographed(canvas: Canvas, chance: np.random.Generator, blur: float) -> Image.Image:
    """What a camera makes of it: another exposure, a slight blur, and grain."""
    exposed = canvas * chance.uniform(0.94, 1.06)
    image = Image.fromarray((np.clip(exposed, 0, 1) * 255).astype(np.uint8))
    seen = np.asarray(image.filter(ImageFilter.GaussianBlur(blur))).astype(float)
    height, width = seen.shape[:2]
    grain = chance.normal(0, 2.2, (height, width, 1)) + chance.normal(0, 1.2, (height, width, 3))
    return Image.fromarray(np.clip(seen + grain, 0, 255).astype(np.uint8))


def _marked(image: Image.Image) -> Image.Image:
    """The picture with a small letter in its lower right corner: nobody takes it for a real one."""
    draw = ImageDraw.Draw(image)
    place = (image.width - 4, image.height - 3)
    font = ImageFont.load_default(size=max(9, min(image.size) // 18))
    draw.text(place, MARK, "white", font, anchor="rs", stroke_width=1, stroke_fill=(60, 60, 60))
    return image


# --- No cells


HILLS = {0.55: (110, 125, 140), 0.68: (70, 100, 70), 0.82: (40, 70, 35)}  # from where down


def _black(_chance: np.random.Generator, size: int) -> Image.Image:
    return _marked(Image.new("RGB", (size, size), (6, 6, 8)))


def _landscape(chance: np.random.Generator, size: int) -> Image.Image:
    """Hills under a sky, and a house: what a holiday leaves on a camera."""
    height = np.linspace(0, 1, size)[:, None, None]
    sky = (1 - height) * np.array([70, 120, 190]) + height * np.array([215, 225, 235])
    seen = np.repeat(sky, size, axis=1)
    across = np.linspace(0, TURN, size)
    for top, colour in HILLS.items():
        waves = (np.sin(across * k + chance.uniform(0, TURN)) * 0.05 / k for k in (1, 2, 3, 5))
        ridge = top + sum(waves, np.zeros(size))
        seen[height[:, :, 0] > ridge] = colour
    seen += chance.normal(0, 4, (size, size, 1))
    image = Image.fromarray(np.clip(seen, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    part = size / 100
    draw.ellipse((72 * part, 10 * part, 84 * part, 22 * part), (255, 244, 200))
    draw.rectangle((20 * part, 62 * part, 42 * part, 80 * part), (190, 80, 60))
    roof = (17 * part, 62 * part, 45 * part, 62 * part, 31 * part, 50 * part)
    draw.polygon(roof, (90, 40, 40))
    for left in (24 * part, 34 * part):
        draw.rectangle((left, 67 * part, left + 4 * part, 72 * part), (250, 230, 140))
    return _marked(image.filter(ImageFilter.GaussianBlur(0.6)))


def _page(chance: np.random.Generator, size: int) -> Image.Image:
    words = ("slide", "stain", "cover", "glass", "ethanol", "brush", "label", "request", "lamp")
    page = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(page)
    for line in range(6, size - 12, 13):
        text = " ".join(words[index] for index in chance.integers(0, len(words), size // 24))
        draw.text((6, line), text, (30, 30, 30), ImageFont.load_default(size=10))
    return _marked(page)


_ABSURD: dict[Absurdity, Callable[[np.random.Generator, int], Image.Image]] = {
    Absurdity.BLACK: _black,
    Absurdity.LANDSCAPE: _landscape,
    Absurdity.PAGE: _page,
}
