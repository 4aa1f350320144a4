"""Preprocessing: known pictures give known numbers, and bad files a sentence."""

import io
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from inference import preprocess as module
from inference.preprocess import UnreadableImage, preprocess


def encoded(image, kind="PNG", **options):
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def gradient(width, height):
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [rows * 255 // height, columns * 255 // width, (rows + columns) * 7 % 256]
    return Image.fromarray(np.stack(planes, axis=2).astype(np.uint8))


def test_a_known_picture_gives_known_numbers():
    pixels = preprocess(encoded(gradient(150, 90)))

    assert (pixels.shape, pixels.dtype) == ((192, 192, 3), np.uint8)
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[96, 96].tolist() == [126, 127, 69]  # between rows 44 and 45, columns 74 and 75
    assert sha256(pixels.tobytes()).hexdigest()[:16] == "274779af0ade11b3", (
        "another pixel: change PREPROCESSING_VERSION too"
    )


def test_shrinking_averages_instead_of_skipping():
    stripes = np.zeros((768, 768, 3), dtype=np.uint8)
    stripes[::2] = 255

    pixels = preprocess(Image.fromarray(stripes))

    inner = pixels[2:-2].astype(int)  # the filter reaches over the edge
    assert abs(inner - 127).max() <= 1


def test_bytes_a_path_and_a_picture_give_the_same_pixels(tmp_path):
    image = gradient(100, 80)
    path = tmp_path / "cell.bmp"
    image.save(path)

    expected = preprocess(image)

    assert np.array_equal(preprocess(path), expected)
    assert np.array_equal(preprocess(path.read_bytes()), expected)


@pytest.mark.parametrize("kind", ["BMP", "PNG", "TIFF", "WEBP"])
def test_every_lossless_kind_gives_the_same_pixels(kind):
    image = gradient(60, 60)
    options = {"lossless": True} if kind == "WEBP" else {}

    assert np.array_equal(preprocess(encoded(image, kind, **options)), preprocess(image))


def test_a_grey_picture_has_three_equal_colours():
    pixels = preprocess(encoded(gradient(50, 50).convert("L")))

    assert np.array_equal(pixels[..., 0], pixels[..., 1])
    assert np.array_equal(pixels[..., 0], pixels[..., 2])


def test_sixteen_bits_become_eight_by_their_upper_half():
    deep = Image.fromarray(np.full((20, 20), 0x8040, dtype=np.uint16))

    pixels = preprocess(encoded(deep))

    assert np.unique(pixels).tolist() == [0x80]


def test_what_is_transparent_is_white():
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))

    assert np.unique(preprocess(encoded(clear))).tolist() == [255]


def test_a_transparent_palette_is_white_too():
    image = Image.new("P", (20, 20), 0)
    image.putpalette([200, 0, 0] * 256)

    pixels = preprocess(encoded(image, transparency=0))

    assert np.unique(pixels).tolist() == [255]


def test_cmyk_is_read_in_colour():
    pixels = preprocess(encoded(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "TIFF"))

    assert pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_photograph_stands_upright(orientation):
    turned_back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    upright = gradient(40, 40)
    stored = upright
    if orientation in turned_back:
        stored = upright.transpose(Image.Transpose(turned_back[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation

    pixels = preprocess(encoded(stored, exif=exif))

    assert np.array_equal(pixels, preprocess(upright))


WHOLE = encoded(gradient(60, 60))
BROKEN = {
    "empty": (b"", "The file is empty."),
    "text": (b"not an image at all", "not an image of a known kind"),
    "truncated": (WHOLE[: len(WHOLE) // 2], "damaged or incomplete"),
    "a header alone": (WHOLE[:40], "not an image of a known kind"),
    "a truncated JPEG": (encoded(gradient(60, 60), "JPEG")[:500], "damaged or incomplete"),
    "a kind we do not read": (encoded(gradient(9, 9), "GIF"), "not an image of a known kind"),
    "floating-point": (encoded(Image.new("F", (9, 9)), "TIFF"), "floating-point numbers"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_file_is_refused_with_a_sentence(name):
    content, sentence = BROKEN[name]

    with pytest.raises(UnreadableImage, match=sentence):
        preprocess(content)


def test_a_missing_file_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(UnreadableImage, match=r"cannot be opened: No such file or directory\."):
        preprocess(tmp_path / "gone.png")


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 3_000_000)
    large = encoded(Image.new("1", (2000, 2000)))

    with pytest.raises(UnreadableImage, match="more than 3 megapixels"):
        preprocess(large)


def test_a_decompression_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)

    with pytest.raises(UnreadableImage, match="more than 40 megapixels"):
        preprocess(WHOLE)


def test_no_damage_to_a_file_raises_anything_but_unreadable_image():
    chance = np.random.default_rng(1)
    kinds = [encoded(gradient(40, 40), kind) for kind in ("PNG", "JPEG", "TIFF", "BMP", "WEBP")]
    outcomes = set()

    for i in range(400):
        content = bytearray(kinds[i % len(kinds)])
        for position in chance.integers(0, len(content), 4):
            content[position] = chance.integers(0, 256)
        try:
            preprocess(bytes(content))
            outcomes.add("read")
        except UnreadableImage:
            outcomes.add("refused")

    assert outcomes == {"read", "refused"}
