"""What may be uploaded, and what is said of what may not."""

import random
import struct
import warnings
import zipfile
import zlib
from hashlib import sha256
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

from cases import intake
from cases.intake import ArchiveMember, Limits, RefusedFile

LIMITS = Limits(max_bytes=2**20, max_pixels=1_000_000, archive_max_files=5, archive_max_bytes=2**21)
CUT_OFF = "The picture is cut off before its end."
DAMAGED = "The picture is damaged and cannot be decoded."


def picture(width=48, height=40, mode="RGB"):
    """A picture with a red, a green and a blue corner, so that a turn or a swap is seen."""
    image = Image.new("RGB", (width, height), (200, 180, 220))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill=(255, 0, 0))
    draw.rectangle((width // 2, 0, width, height // 2 - 1), fill=(0, 255, 0))
    draw.rectangle((0, height // 2, width // 2 - 1, height), fill=(0, 0, 255))
    return image.convert(mode)


def noise(width=48, height=40, seed=1):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(image, kind, **options):
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels(kept):
    with Image.open(BytesIO(kept.content)) as image:
        assert image.mode == "RGB"
        return np.asarray(image).astype(int)


def refusal(content, limits=LIMITS):
    with pytest.raises(RefusedFile) as refused:
        intake.read(content, limits)
    return str(refused.value)


FILES = {
    "BMP": encoded(noise(), "BMP"),
    "BMP with a palette": encoded(noise().convert("P"), "BMP"),
    "BMP of one bit": encoded(noise().convert("1"), "BMP"),
    "PNG": encoded(noise(), "PNG"),
    "PNG with a palette": encoded(noise().convert("P"), "PNG", transparency=3),
    "JPEG": encoded(noise(), "JPEG"),
    "JPEG in passes": encoded(noise(), "JPEG", progressive=True),
    "JPEG with restarts": encoded(noise(), "JPEG", restart_marker_blocks=2),
    "JPEG in grey": encoded(noise().convert("L"), "JPEG"),
    "JPEG in CMYK": encoded(noise().convert("CMYK"), "JPEG"),
    "TIFF": encoded(noise(), "TIFF"),
    "TIFF, large kind": encoded(noise(), "TIFF", big_tiff=True),
    "TIFF with LZW": encoded(noise(), "TIFF", compression="tiff_lzw"),
    "TIFF with deflate": encoded(noise(), "TIFF", compression="tiff_adobe_deflate"),
    "TIFF with JPEG": encoded(noise(), "TIFF", compression="jpeg"),
    "TIFF of a fax": encoded(noise().convert("1"), "TIFF", compression="group4"),
    "WebP": encoded(noise(), "WEBP"),
    "WebP without loss": encoded(noise(), "WEBP", lossless=True),
}


# --- What is kept


@pytest.mark.parametrize("kind", FILES)
def test_every_kind_of_picture_is_kept_as_plain_rgb(kind):
    kept = intake.read(FILES[kind], LIMITS)

    assert (kept.width, kept.height) == (48, 40)
    assert kept.source_format == kind.split()[0].rstrip(",")
    assert kept.source_digest == intake.source_digest(FILES[kind])
    assert kept.digest == sha256(kept.content).hexdigest()
    assert pixels(kept).shape == (40, 48, 3)


@pytest.mark.parametrize("kind", ["BMP", "PNG", "TIFF", "TIFF with LZW", "WebP without loss"])
def test_no_pixel_of_a_lossless_picture_is_changed(kind):
    kept = intake.read(FILES[kind], LIMITS)

    assert np.array_equal(pixels(kept), np.asarray(noise()))


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind.startswith("JPEG")])
def test_a_jpeg_is_decoded_exactly_as_its_decoder_would(kind):
    kept = intake.read(FILES[kind], LIMITS)

    with Image.open(BytesIO(FILES[kind])) as image:
        assert np.array_equal(pixels(kept), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("size", [(16, 16), (17, 9), (333, 211), (1000, 700)])
@pytest.mark.parametrize("quality", [5, 50, 95])
def test_a_whole_jpeg_of_any_size_and_quality_is_not_taken_for_a_cut_one(size, quality):
    content = encoded(noise(*size), "JPEG", quality=quality, optimize=True)

    kept = intake.read(content, LIMITS)

    assert (kept.width, kept.height) == size


def test_the_thumbnail_is_a_small_webp():
    kept = intake.read(encoded(picture(480, 240), "PNG"), LIMITS)

    with Image.open(BytesIO(kept.thumbnail)) as small:
        assert (small.format, small.size) == ("WEBP", (192, 96))


def test_no_metadata_survives():
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe, born 1970"
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "Jane Doe")
    text.add_itxt("XML:com.adobe.xmp", "Jane Doe", zip=True)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    files = [
        encoded(picture(), "PNG", exif=exif, pnginfo=text, icc_profile=profile, dpi=(72, 72)),
        encoded(picture(), "JPEG", exif=exif, comment=b"Jane Doe", icc_profile=profile),
        encoded(picture(), "TIFF", exif=exif, description="Jane Doe", icc_profile=profile),
        encoded(picture(), "WEBP", exif=exif, xmp=b"Jane Doe", icc_profile=profile),
    ]

    for content in files:
        kept = intake.read(content, LIMITS)

        assert {kind for kind, _ in chunks(kept.content)} == {b"IHDR", b"IDAT", b"IEND"}
        assert b"Jane" not in kept.content
        with Image.open(BytesIO(kept.thumbnail)) as small:
            assert not {"exif", "icc_profile", "xmp"} & set(small.info)


def chunks(png):
    position = 8
    while position < len(png):
        length, kind = struct.unpack_from(">I4s", png, position)
        yield kind, png[position + 8 : position + 8 + length]
        position += length + 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_is_turned_the_way_the_camera_was_held(kind, orientation):
    upright = picture(48, 32)
    undo = [None, None, 0, 3, 1, 5, 2, 6, 4][orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = upright if undo is None else upright.transpose(Image.Transpose(undo))
    options = {"quality": 100} if kind in ("JPEG", "WEBP") else {}

    kept = intake.read(encoded(lying, kind, exif=exif, **options), LIMITS)

    assert (kept.width, kept.height) == (48, 32)
    assert np.abs(pixels(kept)[::31, ::47] - np.asarray(upright)[::31, ::47]).max() <= 8


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0nonsense"]
)
def test_unreadable_exif_is_as_none(exif):
    kept = intake.read(encoded(picture(), "JPEG", exif=exif), LIMITS)

    assert (kept.width, kept.height) == (48, 40)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_what_is_see_through_lies_on_white(kind):
    image = picture(mode="RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}

    kept = intake.read(encoded(image, kind, **options), LIMITS)

    rgba = np.asarray(image).astype(float)
    share = rgba[..., 3:] / 255
    assert np.abs(pixels(kept) - (rgba[..., :3] * share + 255 * (1 - share))).max() <= 1


@pytest.mark.parametrize(
    ("image", "transparency"),
    [
        (picture().quantize(8), 0),
        (picture().quantize(8), bytes([0, 255, 255, 255, 255, 255, 255, 255])),
        (Image.new("L", (16, 16), 9), 9),
        (Image.new("RGB", (16, 16), (1, 2, 3)), (1, 2, 3)),
        (Image.new("1", (16, 16), 0), 0),
        (Image.new("I;16", (16, 16), 777), 777),
    ],
)
def test_a_see_through_colour_lies_on_white_too(image, transparency):
    content = encoded(image, "PNG", transparency=transparency)

    kept = intake.read(content, LIMITS)

    first = np.asarray(image) == (0 if image.mode == "P" else np.asarray(image)[0, 0])
    see_through = first.all(axis=-1) if image.mode == "RGB" else first
    assert see_through.any()
    assert (pixels(kept)[see_through] == 255).all()


def test_grey_with_alpha_is_kept():
    image = Image.merge("LA", [Image.new("L", (16, 16), 50), Image.new("L", (16, 16), 255)])

    kept = intake.read(encoded(image, "PNG"), LIMITS)

    assert (pixels(kept) == 50).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_of_16_bits_is_scaled_and_not_clipped(kind):
    ramp = np.linspace(0, 65535, 64 * 16).astype(np.uint16).reshape(16, 64)

    kept = intake.read(encoded(Image.fromarray(ramp), kind), LIMITS)

    assert np.abs(pixels(kept)[..., 0] - ramp / 257).max() <= 0.5


def test_grey_of_12_bits_is_scaled_from_its_own_white():
    packed = bytes([0xFF, 0xF8, 0x00]) * (16 * 16 // 2)  # 4095 and 2048, again and again

    kept = intake.read(tiff(16, 16, packed, bits=[12], photometric=1), LIMITS)

    assert pixels(kept)[0, :4, 0].tolist() == [255, 128, 255, 128]


def test_grey_of_16_bits_in_which_white_is_zero_is_turned_round():
    kept = intake.read(tiff(16, 16, bytes(2 * 16 * 16), bits=[16], photometric=0), LIMITS)

    assert (pixels(kept) == 255).all()


def test_colour_of_16_bits_keeps_its_upper_eight():
    values = np.random.default_rng(3).integers(0, 65536, (16, 16, 3), dtype=np.uint16)
    png = png_file(16, 16, values.astype(">u2"), depth=16, kind=2)
    tif = tiff(16, 16, values.astype("<u2").tobytes(), bits=[16, 16, 16], photometric=2)

    for content in (png, tif):
        assert np.array_equal(pixels(intake.read(content, LIMITS)), values >> 8)


def png_file(width, height, rows, *, depth, kind, extra=()):  # noqa: PLR0913
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


def tiff(width, height, strip, *, bits, photometric, extra=()):  # noqa: PLR0913
    """A little TIFF of one strip, written by hand so that its fields can lie."""
    per_pixel = struct.pack(f"<{len(bits)}H", *bits)
    fields = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, len(bits), None if len(bits) > 2 else int.from_bytes(per_pixel, "little")),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 8),
        (277, 3, 1, len(bits)),
        (278, 4, 1, height),
        (279, 4, 1, len(strip)),
    ]
    fields = sorted({field[0]: field for field in [*fields, *extra]}.values())
    start = 8 + len(strip)
    behind = start + 2 + 12 * len(fields) + 4
    entries = b"".join(
        struct.pack("<HHII", tag, kind, count, behind if value is None else value)
        for tag, kind, count, value in fields
    )
    directory = struct.pack("<H", len(fields)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", start) + strip + directory + per_pixel


def test_cielab_becomes_rgb():
    kept = intake.read(encoded(picture(mode="LAB"), "TIFF"), LIMITS)

    assert np.abs(pixels(kept) - np.asarray(picture())).max() <= 30


def test_an_embedded_profile_is_converted_to_srgb():
    swapped = swapped_profile()

    kept = intake.read(encoded(picture(), "PNG", icc_profile=swapped), LIMITS)

    corner = pixels(kept)[0, 0]
    assert corner[0] < 100 < corner[1]  # the red corner is green by this profile


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_broken_profile_is_as_none(kind):
    content = encoded(picture(), kind, icc_profile=b"no profile at all" * 20)

    kept = intake.read(content, LIMITS)

    assert np.abs(pixels(kept)[4, 4] - [255, 0, 0]).max() <= 8


def test_a_profile_of_another_colour_space_is_as_none():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    kept = intake.read(encoded(Image.new("L", (16, 16), 77), "PNG", icc_profile=profile), LIMITS)

    assert (pixels(kept) == 77).all()


def swapped_profile():
    """sRGB with the colours of red and green exchanged and another description."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {}
    for index in range(int.from_bytes(profile[128:132], "big")):
        at = 132 + 12 * index
        tags[bytes(profile[at : at + 4])] = at
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    described = profile.find("sRGB".encode("utf-16-be"))
    profile[described : described + 8] = "test".encode("utf-16-be")
    return bytes(profile)


def test_of_a_phones_two_pictures_the_first_is_taken():
    both = BytesIO()
    picture().save(both, "MPO", save_all=True, append_images=[Image.new("RGB", (48, 40), "black")])

    kept = intake.read(both.getvalue(), LIMITS)

    assert kept.source_format == "JPEG"
    assert np.abs(pixels(kept)[4, 4] - [255, 0, 0]).max() <= 8


def test_a_smaller_copy_inside_a_tiff_is_no_second_picture():
    large, small = picture(), picture(24, 20)
    small.encoderinfo = {"tiffinfo": {254: 1}}
    file = BytesIO()
    large.save(file, "TIFF", save_all=True, append_images=[small])

    kept = intake.read(file.getvalue(), LIMITS)

    assert (kept.width, kept.height) == (48, 40)


def test_what_follows_the_end_of_a_picture_is_not_looked_at():
    for kind in ("PNG", "JPEG", "BMP"):
        kept = intake.read(FILES[kind] + b"trailing bytes", LIMITS)

        assert (kept.width, kept.height) == (48, 40)


# --- What is refused


def test_an_empty_file_is_refused():
    assert refusal(b"") == "The file is empty."


def test_a_file_that_is_too_long_is_refused():
    long = FILES["PNG"] + bytes(2**20)

    assert refusal(long) == "The file has 1.0 MB, more than the 1 MB allowed."


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (encoded(picture(), "GIF"), "a GIF picture"),
        (encoded(picture(), "AVIF"), "an AVIF picture"),
        (encoded(picture(), "JPEG2000"), "a JPEG 2000 picture"),
        (encoded(picture(), "PDF"), "a PDF document"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "a video"),
        (b"8BPS\0\1", "a Photoshop document"),
        (bytes(128) + b"DICM", "a DICOM file"),
        (b"PK\x03\x04", "a zip archive"),
        (b"7z\xbc\xaf\x27\x1c", "a compressed archive"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b"file,class\n001.jpg,Parabasal\n", "a text"),
    ],
)
def test_another_kind_of_file_is_called_by_its_name(content, what):
    assert refusal(content) == (
        f"This is {what}, not a picture this program reads: BMP, PNG, JPEG, TIFF and WebP are."
    )


@pytest.mark.parametrize(
    "content", [b"\x7fELF\2\1\1", bytes(500), b"\x01", b"BM\0", b"RIFF\0\0\0\0WAVE"]
)
def test_what_is_no_picture_at_all_is_refused(content):
    assert refusal(content) == (
        "Not a picture this program reads: BMP, PNG, JPEG, TIFF and WebP are."
    )


@pytest.mark.parametrize("kind", FILES)
def test_a_picture_that_is_cut_off_anywhere_is_refused(kind):
    content = FILES[kind]
    lengths = {len(content) - cut for cut in (1, 2, 3, 4, 5, 8, 13, 21, 34, 55, 89)}
    lengths |= {20, 30, 60, len(content) // 4, len(content) // 2}

    for length in lengths:
        assert refusal(content[:length])


@pytest.mark.parametrize("kind", ["BMP", "PNG", "JPEG", "TIFF", "TIFF with LZW", "WebP"])
def test_a_picture_that_is_cut_off_is_called_so(kind):
    content = FILES[kind]

    assert refusal(content[: len(content) // 2]) == CUT_OFF


@pytest.mark.parametrize("kind", ["JPEG", "JPEG in grey", "JPEG in CMYK"])
@pytest.mark.parametrize("lost", [100, 200, 400])
def test_a_jpeg_that_lacks_its_last_rows_is_refused_though_it_has_an_end(kind, lost):
    content = FILES[kind][:-lost] + b"\xff\xd9"

    assert refusal(content) == CUT_OFF


@pytest.mark.parametrize("place", [-13, 60, 2000])  # a checksum, and what it is of
def test_a_changed_byte_in_a_png_is_noticed(place):
    content = bytearray(FILES["PNG"])
    content[place] ^= 1

    assert refusal(bytes(content)) == DAMAGED


def test_a_webp_that_lacks_a_whole_part_is_cut_off():
    content = encoded(picture(), "WEBP", exif=Image.Exif(), xmp=b"<x/>")

    assert refusal(content[: content.index(b"XMP ", 40)]) == CUT_OFF


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})]
)
def test_animations_and_stacks_are_refused(kind, options):
    file = BytesIO()
    others = [noise(seed=2), noise(seed=3)]
    noise().save(file, kind, save_all=True, append_images=others, **options)

    assert refusal(file.getvalue()) == (
        "The picture has 3 frames: animations and stacks are refused."
    )


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (encoded(Image.new("1", (4, 900)), "PNG"), "4 x 900"),
        (encoded(Image.new("RGB", (7, 7)), "BMP"), "7 x 7"),
        (encoded(Image.new("RGB", (1, 1)), "JPEG"), "1 x 1"),
    ],
)
def test_a_tiny_picture_is_refused(content, size):
    assert refusal(content) == (
        f"The picture has {size} pixels, too few to show a cell: 8 a side is the least."
    )


def bombs():
    """Short files that promise 30,000 pixels each way."""
    side = 30_000
    yield png_file(side, side, [], depth=8, kind=2)
    jpeg = bytearray(FILES["JPEG"])
    struct.pack_into(">HH", jpeg, jpeg.index(b"\xff\xc0") + 5, side, side)
    yield bytes(jpeg)
    yield tiff(side, side, bytes(100), bits=[1], photometric=1)
    yield encoded(Image.new("RGB", (16, 16)), "WEBP", lossless=True).replace(
        struct.pack("<I", 15 | 15 << 14), struct.pack("<I", side - 1 & 0x3FFF | 15 << 14)
    )
    canvas = struct.pack("<I", side - 1)[:3]
    yield riff(b"VP8X", bytes(4) + canvas + canvas)


def riff(kind, body):
    chunk = kind + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def test_a_size_beyond_the_limit_is_refused_before_memory_is_spent():
    png, jpeg, tif, _, webp = bombs()

    for content in (png, jpeg, tif, webp):
        assert refusal(content) == (
            "The picture would be 30,000 x 30,000 pixels, more than the 1 megapixels allowed."
        )


def test_a_text_that_unpacks_to_more_than_a_picture_is_left_packed():
    bomb = b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9)
    rows = np.full((16, 16, 3), 7, dtype=np.uint8)
    content = png_file(16, 16, rows, depth=8, kind=2, extra=[(b"zTXt", bomb)])

    kept = intake.read(content, LIMITS)

    assert (pixels(kept) == 7).all()


def test_a_profile_that_unpacks_to_more_than_a_picture_is_refused():
    bomb = b"ICC\0\0" + zlib.compress(bytes(50_000_000), 9)
    rows = np.full((16, 16, 3), 7, dtype=np.uint8)

    assert refusal(png_file(16, 16, rows, depth=8, kind=2, extra=[(b"iCCP", bomb)])) == DAMAGED


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ([(273, 4, 2**31, 8)], "The picture is cut into 2,147,483,648 pieces."),
        ([(273, 4, 500, 8)], "The picture is cut into 500 pieces."),
        (
            [(322, 4, 1, 2**30), (323, 4, 1, 2**30), (324, 4, 1, 8), (325, 4, 1, 8)],
            "The picture is cut into tiles larger than itself.",
        ),
        ([(279, 4, 1, 2**31)], CUT_OFF),
    ],
)
def test_a_tiff_in_absurd_pieces_is_refused(fields, sentence):
    content = tiff(16, 16, bytes(256), bits=[8], photometric=1, extra=fields)

    assert refusal(content) == sentence


def test_a_tiff_with_thousands_of_fields_is_refused():
    fields = [(40_000 + number, 3, 1, 0) for number in range(2000)]
    content = tiff(16, 16, bytes(256), bits=[8], photometric=1, extra=fields)

    assert refusal(content) == DAMAGED


def test_a_tiff_whose_pages_run_in_a_circle_is_read_once():
    content = bytearray(tiff(16, 16, bytes(256), bits=[8], photometric=1))
    start = 8 + 256
    end = start + 2 + 12 * struct.unpack_from("<H", content, start)[0]
    struct.pack_into("<I", content, end, start)

    kept = intake.read(bytes(content), LIMITS)

    assert (kept.width, kept.height) == (16, 16)


def test_a_jpeg_of_countless_passes_is_refused():
    content = FILES["JPEG in passes"]
    scan = content.index(b"\xff\xda")
    following = content.index(b"\xff\xc4", scan)

    assert refusal(content[:following] + content[scan:following] * 100 + content[following:])


def test_floating_and_32_bit_pixels_are_refused():
    for mode in ("F", "I"):
        assert "32-bit pixels" in refusal(encoded(Image.new(mode, (16, 16)), "TIFF"))


def test_a_compressed_bmp_is_refused_by_its_kind():
    content = bytearray(FILES["BMP with a palette"])
    struct.pack_into("<I", content, 30, 1)

    assert refusal(bytes(content)) == (
        "The picture is a compressed BMP, which is not read: save it as PNG."
    )


def test_a_decoder_that_sees_another_size_than_the_header_is_not_believed():
    content = FILES["JPEG"]
    frame = content[content.index(b"\xff\xc0") :][:19]
    smaller = frame[:5] + struct.pack(">HH", 16, 16) + frame[9:]

    assert refusal(content[:-2] + smaller + content[-2:]) == (
        "The picture states two different sizes."
    )


@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_file_is_kept_or_refused_but_never_anything_else(kind):
    chance = random.Random(f"damage {kind}")  # noqa: S311 -- repeatable, not secret

    for _ in range(40):
        content = damaged(FILES[kind], chance)
        with warnings.catch_warnings(action="error"):
            try:
                kept = intake.read(content, LIMITS)
            except RefusedFile as refused:
                assert str(refused).endswith(".")  # noqa: PT017 -- or it is kept
            else:
                assert pixels(kept).shape == (kept.height, kept.width, 3)


def damaged(content, chance):
    """A few bytes changed, some taken out, or some put in; a PNG's checksums made to hold again."""
    changed = bytearray(content)
    place = chance.randrange(chance.choice([len(changed), min(200, len(changed))]))
    kind = chance.randrange(3)
    if kind == 0:
        changed[place : place + 4] = chance.randbytes(4)
    elif kind == 1:
        del changed[place : place + chance.randrange(1, 60)]
    else:
        changed[place:place] = chance.randbytes(chance.choice([1, 4, 40]))
    position = 8
    while changed.startswith(b"\x89PNG") and position + 12 <= len(changed):
        (length,) = struct.unpack_from(">I", changed, position)
        end = position + 8 + length
        if end + 4 > len(changed):
            break
        struct.pack_into(">I", changed, end, zlib.crc32(changed[position + 4 : end]))
        position = end + 4
    return bytes(changed)


# --- Archives


def archive(*files, compression=zipfile.ZIP_DEFLATED):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as writer:
        for name, content in files:
            writer.writestr(name, content)
    return packed


def test_a_zip_archive_is_known_by_its_first_bytes():
    assert intake.is_archive(archive(("a.png", b"x")).getvalue()[:4])
    assert intake.is_archive(archive().getvalue())
    assert not intake.is_archive(FILES["PNG"])


def test_the_files_of_an_archive_come_one_after_the_other():
    packed = archive(("cells/", b""), ("cells/one.png", FILES["PNG"]), ("notes.txt", b"hello"))

    members = list(intake.unpack(packed, LIMITS))

    assert members == [
        ArchiveMember("one.png", FILES["PNG"]),
        ArchiveMember("notes.txt", b"hello"),
    ]
    assert intake.read(members[0].content, LIMITS).width == 48
    assert refusal(members[1].content).startswith("This is a text")


def test_what_computers_add_to_folders_is_passed_over():
    packed = archive(
        ("__MACOSX/._one.png", b"x"),
        ("cells/.DS_Store", b"x"),
        ("cells/Thumbs.db", b"x"),
        ("cells/desktop.ini", b"x"),
        (".hidden/two.png", b"x"),
        ("cells/one.png", b"x"),
    )

    assert [member.name for member in intake.unpack(packed, LIMITS)] == ["one.png"]


def test_a_path_in_an_archive_is_only_a_name():
    packed = archive(
        ("../../etc/passwd.png", b"x"), ("/root/two.png", b"x"), ("C:\\cells\\three.png", b"x")
    )

    names = [member.name for member in intake.unpack(packed, LIMITS)]

    assert names == ["passwd.png", "two.png", "three.png"]


def test_an_archive_of_too_many_files_is_refused_whole():
    packed = archive(*((f"{number}.png", b"x") for number in range(6)))

    with pytest.raises(RefusedFile, match=r"holds 6 files, more than the 5 allowed"):
        intake.unpack(packed, LIMITS)


def test_an_archive_that_unpacks_to_too_much_is_refused_whole():
    packed = archive(*((f"{number}.png", bytes(700_000)) for number in range(4)))

    with pytest.raises(RefusedFile, match=r"unpacks to 2\.7 MB, more than the 2 MB allowed"):
        intake.unpack(packed, LIMITS)


def test_an_archive_without_files_is_refused():
    with pytest.raises(RefusedFile, match="holds no files"):
        intake.unpack(archive(("empty/", b"")), LIMITS)


@pytest.mark.parametrize("content", [b"PK\x03\x04 and then nothing", b"", b"not an archive"])
def test_a_broken_archive_is_refused_whole(content):
    with pytest.raises(RefusedFile, match="broken or cut off"):
        intake.unpack(BytesIO(content), LIMITS)


def test_a_cut_archive_is_refused_whole():
    packed = archive(("one.png", FILES["PNG"])).getvalue()

    with pytest.raises(RefusedFile, match="broken or cut off"):
        intake.unpack(BytesIO(packed[:-30]), LIMITS)


def test_a_file_too_long_in_an_archive_is_refused_by_name_and_the_rest_go_on():
    packed = archive(("long.bmp", bytes(1_500_000)), ("one.png", b"x"))

    long, one = intake.unpack(packed, LIMITS)

    assert long == ArchiveMember(
        "long.bmp", None, "The file has 1.4 MB, more than the 1 MB allowed."
    )
    assert one.content == b"x"


def test_a_file_that_is_longer_than_its_archive_says_is_refused_by_name():
    packed = archive(("lie.bmp", bytes(1_500_000)), ("one.png", b"x")).getvalue()
    lying = packed.replace(struct.pack("<I", 1_500_000), struct.pack("<I", 100))

    lie, one = intake.unpack(BytesIO(lying), LIMITS)

    assert lie == ArchiveMember("lie.bmp", None, "The file is damaged inside its archive.")
    assert one.content == b"x"


def test_a_file_with_a_wrong_checksum_is_refused_by_name():
    packed = archive(
        ("bad.png", b"0123456789"), ("one.png", b"x"), compression=zipfile.ZIP_STORED
    ).getvalue()

    bad, one = intake.unpack(BytesIO(packed.replace(b"0123456789", b"0123456780")), LIMITS)

    assert bad.refusal == "The file is damaged inside its archive."
    assert one.content == b"x"


def test_an_encrypted_file_is_refused_by_name():
    packed = bytearray(archive(("secret.png", b"x")).getvalue())
    packed[6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1

    [secret] = intake.unpack(BytesIO(bytes(packed)), LIMITS)

    assert secret.refusal == "The file is encrypted: pack it without a password."


def test_an_archive_in_an_archive_is_refused_by_name_and_by_content():
    inner = archive(("one.png", b"x")).getvalue()
    packed = archive(("inner.zip", inner), ("cells.7z", b"x"), ("disguised.png", inner))

    refusals = [member.refusal for member in intake.unpack(packed, LIMITS)]

    assert refusals == ["An archive inside an archive is not opened."] * 3


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_packing_that_unpacks_without_bound_is_refused_by_name(compression):
    [member] = intake.unpack(archive(("one.png", b"x"), compression=compression), LIMITS)

    assert member.refusal == "The file is packed in a way this program does not read."


def test_a_table_of_contents_too_long_to_read_is_refused_unread():
    length = intake.LARGEST_READ + 1
    ending = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, length, 0, 0)

    with pytest.raises(RefusedFile, match="lists more files than can be read"):
        intake.unpack(BytesIO(bytes(length) + ending), LIMITS)


def test_a_damaged_archive_is_unpacked_or_refused_but_never_anything_else():
    chance = random.Random("archives")  # noqa: S311 -- repeatable, not secret
    whole = archive(("one.png", FILES["PNG"]), ("two/three.bmp", FILES["BMP of one bit"]))

    for _ in range(200):
        try:
            members = list(intake.unpack(BytesIO(damaged(whole.getvalue(), chance)), LIMITS))
        except RefusedFile as refused:
            assert str(refused).endswith(".")  # noqa: PT017 -- or it is unpacked
        else:
            assert all(member.name for member in members)


# --- Names


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("cell.png", "cell.png"),
        ("/home/ada/cell.png", "cell.png"),
        ("C:\\Users\\ada\\cell.png", "cell.png"),
        ("../../etc/passwd", "passwd"),
        ("cell\0\r\n\x1b[31m.png", "cell[31m.png"),
        ("gnp.\u202eexe", "gnp.exe"),
        ("ce\u200bll.png", "cell.png"),
        ("A\u030angstro\u0308m.png", "Ångström.png"),
        ("  two   words .png ", "two words .png"),
        ("\ud800.png", ".png"),
        ("", "unnamed"),
        ("/", "unnamed"),
        ("..", "unnamed"),
        ("\0", "unnamed"),
        ("細胞.jpg", "細胞.jpg"),
    ],
)
def test_a_name_is_shown_without_path_or_tricks(sent, shown):
    assert intake.clean_name(sent) == shown


def test_a_long_name_keeps_its_extension():
    assert intake.clean_name("x" * 300 + ".tiff") == "x" * 195 + ".tiff"
    assert intake.clean_name("x" * 300) == "x" * 200
    assert intake.clean_name("a." + "x" * 300) == "a." + "x" * 198
    assert len(intake.clean_name("ﷺ" * 250 + ".png")) == 200


# --- How long a pixel is

QUARTER = 25_400 / 0.25  # dots an inch of a picture with a quarter of a micrometre a pixel


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {"dpi": (QUARTER, QUARTER)}),
        ("BMP", {"dpi": (QUARTER, QUARTER)}),
        ("TIFF", {"dpi": (QUARTER, QUARTER)}),
        ("TIFF", {"resolution_unit": 3, "x_resolution": 40_000.0, "y_resolution": 40_000.0}),
    ],
)
def test_the_side_of_a_pixel_is_read_where_the_header_says_it(kind, options):
    file = BytesIO()
    Image.new("RGB", (16, 12)).save(file, kind, **options)

    picture = intake.read(file.getvalue(), intake.limits())

    assert picture.micrometres == pytest.approx(0.25, rel=1e-3)
    assert b"pHYs" not in picture.content


def test_a_jpeg_says_it_in_dots_an_inch_or_a_centimetre():
    file = BytesIO()
    Image.new("RGB", (16, 12)).save(file, "JPEG", dpi=(50_800, 50_800))
    inches = file.getvalue()
    centimetres = inches.replace(struct.pack(">BHH", 1, 50_800, 50_800), b"\2" + b"\x4e\x20" * 2)

    sides = [intake.read(one, intake.limits()).micrometres for one in (inches, centimetres)]

    assert sides == [pytest.approx(0.5), pytest.approx(0.5)]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("PNG", {"dpi": (72, 72)}),  # a screen
        ("BMP", {"dpi": (96, 96)}),
        ("JPEG", {"dpi": (300, 300)}),  # paper
        ("TIFF", {"dpi": (1200, 1200)}),
        ("PNG", {"dpi": (QUARTER, 2 * QUARTER)}),  # no square pixels
        ("TIFF", {"resolution_unit": 1, "x_resolution": 1e5, "y_resolution": 1e5}),  # of no unit
        ("WEBP", {}),
    ],
)
def test_no_side_of_a_pixel_is_invented(kind, options):
    file = BytesIO()
    Image.new("RGB", (16, 12)).save(file, kind, **options)

    assert intake.read(file.getvalue(), intake.limits()).micrometres is None
