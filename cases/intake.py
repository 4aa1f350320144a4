"""What may be uploaded: a picture is decoded whole and kept as plain RGB pixels, or refused.

Bytes in, values out: nothing here writes a file, reads a row or trusts a name.
"""

import re
import struct
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import PurePosixPath
from threading import Lock
from typing import IO, BinaryIO

import numpy as np
from django.conf import settings
from PIL import (
    BmpImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from cases import headers
from cases.headers import Header, PictureFormat, RefusedFile

__all__ = [
    "ArchiveMember",
    "Limits",
    "Picture",
    "RefusedFile",
    "clean_name",
    "is_archive",
    "limits",
    "read",
    "refuse_by_size",
    "source_digest",
    "unpack",
]

MEGABYTE = 2**20
SMALLEST_SIDE = 8
THUMBNAIL_SIDE = 192
PNG_COMPRESSION = 1  # 4 ms and 74 KiB for a crop; 6 takes 21 ms to save 10 KiB
LONGEST_NAME = 200
LARGEST_READ = 32 * MEGABYTE  # of an archive's table of contents, which zipfile takes in whole

# What malformed files have been seen to raise in decoders, beside the honest OSError.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    EOFError,
    MemoryError,
    RuntimeError,
    SystemError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one upload may cost."""

    max_bytes: int
    max_pixels: int
    archive_max_files: int
    archive_max_bytes: int


def limits() -> Limits:
    """The limits of this installation."""
    return Limits(
        settings.IMAGE_MAX_BYTES,
        settings.IMAGE_MAX_PIXELS,
        settings.ARCHIVE_MAX_FILES,
        settings.ARCHIVE_MAX_BYTES,
    )


@dataclass(frozen=True, slots=True)
class Picture:
    """One accepted picture: ``content`` is PNG, RGB, without metadata, and what is stored."""

    source_digest: str
    digest: str
    content: bytes
    thumbnail: bytes
    width: int
    height: int
    source_format: PictureFormat
    micrometres: float | None = None  # of a pixel's side, where the header says so


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """One file of an archive: its content, or the sentence that says why there is none."""

    name: str
    content: bytes | None
    refusal: str = ""


def source_digest(content: bytes) -> str:
    """What an uploaded file is known by before it is decoded."""
    return sha256(content).hexdigest()


def read(content: bytes, limits: Limits) -> Picture:
    """Decode an uploaded file fully into the picture that is kept, or refuse it with a sentence."""
    refuse_by_size(len(content), limits)
    header = headers.inspect(content)
    _refuse_by_header(header, limits)
    try:
        rgb = _decode(header)
        stored, thumbnail = _encode(rgb), _thumbnail(rgb)
    except _BROKEN as error:
        cut_off = isinstance(error, OSError) and "truncated" in str(error)
        raise RefusedFile(headers.CUT_OFF if cut_off else headers.DAMAGED) from error
    return Picture(
        source_digest=source_digest(content),
        digest=sha256(stored).hexdigest(),
        content=stored,
        thumbnail=thumbnail,
        width=rgb.width,
        height=rgb.height,
        source_format=header.format,
        micrometres=header.micrometres,
    )


def refuse_by_size(size: int, limits: Limits) -> None:
    """Judge a file before its content is read."""
    if not size:
        raise RefusedFile("The file is empty.")
    if size > limits.max_bytes:
        raise RefusedFile(
            f"The file has {size / MEGABYTE:.1f} MB,"
            f" more than the {limits.max_bytes / MEGABYTE:g} MB allowed."
        )


def _refuse_by_header(header: Header, limits: Limits) -> None:
    """Judge what the header promises, before memory is spent on it."""
    if header.frames != 1:
        raise RefusedFile(
            f"The picture has {header.frames} frames: animations and stacks are refused."
        )
    if header.width * header.height > limits.max_pixels:
        raise RefusedFile(
            f"The picture would be {header.width:,} x {header.height:,} pixels,"
            f" more than the {limits.max_pixels / 1e6:g} megapixels allowed."
        )
    if min(header.width, header.height) < SMALLEST_SIDE:
        raise RefusedFile(
            f"The picture has {header.width} x {header.height} pixels,"
            f" too few to show a cell: {SMALLEST_SIDE} a side is the least."
        )


# --- Decoding

# Called by class: Image.open would guess, warn about sizes and open a phone's second picture.
_PLUGINS: dict[PictureFormat, type[ImageFile.ImageFile]] = {
    PictureFormat.BMP: BmpImagePlugin.BmpImageFile,
    PictureFormat.PNG: PngImagePlugin.PngImageFile,
    PictureFormat.JPEG: JpegImagePlugin.JpegImageFile,
    PictureFormat.TIFF: TiffImagePlugin.TiffImageFile,
    PictureFormat.WEBP: WebPImagePlugin.WebPImageFile,
}
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_warnings_lock = Lock()


def _decode(header: Header) -> Image.Image:
    with (
        _without_warnings(header.format),
        _PLUGINS[header.format](BytesIO(header.decodable)) as image,
    ):
        if sorted(image.size) != sorted((header.width, header.height)):
            raise RefusedFile("The picture states two different sizes.")
        image.load()
        rgb = _rgb(image)
    if header.orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[header.orientation])
    rgb.info = {}
    return rgb


@contextmanager
def _without_warnings(picture_format: PictureFormat) -> Iterator[None]:
    """Quiet about a TIFF's odd tags, which are dropped; the filters are global, hence the lock."""
    if picture_format is not PictureFormat.TIFF:
        yield
        return
    with _warnings_lock, warnings.catch_warnings(action="ignore"):
        yield


def _rgb(image: Image.Image) -> Image.Image:
    """Eight bits of red, green and blue as a screen shows them, on white where see-through."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16"):
        image = _eight_bits(image)
    elif image.mode in ("I", "F"):
        raise RefusedFile(
            "The picture has 32-bit pixels, which are not read: save it with 8 or 16."
        )
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    if image.mode not in ("LA", "RGBA"):
        return _screen_colours(image, profile)
    opaque = _screen_colours(image.convert("L" if image.mode == "LA" else "RGB"), profile)
    flat = Image.new("RGB", image.size, "white")
    flat.paste(opaque, mask=image.getchannel("A"))
    return flat


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 12 or 16 bits, scaled: Pillow's own conversion clips everything above 255."""
    white, inverted = 65535, False
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        white = 2 ** image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0] - 1
        inverted = image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    pixels = np.asarray(image).astype(np.uint32)
    pixels = (np.minimum(pixels, white) * 255 + white // 2) // white
    if inverted:  # white is zero
        pixels = 255 - pixels
    see_through = image.info.get("transparency")
    if see_through is not None:
        pixels[np.asarray(image) == see_through] = 255
    return Image.fromarray(pixels.astype(np.uint8))


def _screen_colours(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture in sRGB, by its embedded profile where that one is sound and fits."""
    if image.mode == "1":
        image = image.convert("L")
    if profile and image.mode in ("L", "RGB", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            if not (source.profile.profile_description or "").startswith("sRGB"):
                target = ImageCms.createProfile("sRGB")
                converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
                if converted is not None:
                    return converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # a broken profile, or one of other colours than the picture's, is as none
    return image.convert("RGB")


# --- Encoding


def _encode(rgb: Image.Image) -> bytes:
    stored = BytesIO()
    rgb.save(stored, "PNG", compress_level=PNG_COMPRESSION)
    return stored.getvalue()


def _thumbnail(rgb: Image.Image) -> bytes:
    small = rgb.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    stored = BytesIO()
    small.save(stored, "WEBP", quality=80, method=2)
    return stored.getvalue()


# --- Archives

_BROKEN_ARCHIVE = (
    zipfile.BadZipFile,
    EOFError,
    OSError,
    RuntimeError,  # NotImplementedError among them: a version or method zipfile does not know
    ValueError,
    LookupError,
    MemoryError,
    OverflowError,
    struct.error,
    zlib.error,
)
_UNPACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others unpack without a bound
_JUNK = re.compile(
    r"(^|/)(__MACOSX/|\.(?!\.?/)|(thumbs\.db|ehthumbs\.db|desktop\.ini)$)", re.IGNORECASE
)
_ARCHIVE_NAMES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz")
_ENCRYPTED = 0x1


def is_archive(content_start: bytes) -> bool:
    """Whether a file that starts so is a zip archive."""
    return content_start.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def unpack(archive: BinaryIO, limits: Limits) -> Iterator[ArchiveMember]:
    """The files of a zip archive one after the other; a bad one is refused and the rest go on.

    A broken or oversized archive is refused whole, before its first member. Whether a member is a
    picture is for ``read`` to say. Nothing is written, so a path in an archive is only a name.
    """
    try:
        opened = zipfile.ZipFile(_BoundedReads(archive))
    except _BROKEN_ARCHIVE as error:
        raise RefusedFile("The archive is broken or cut off: pack it again.") from error
    members = [m for m in opened.infolist() if not m.is_dir() and not _is_junk(m.filename)]
    _refuse_archive(members, limits)
    return (_member(opened, member, limits) for member in members)


def _refuse_archive(members: list[zipfile.ZipInfo], limits: Limits) -> None:
    if not members:
        raise RefusedFile("The archive holds no files.")
    if len(members) > limits.archive_max_files:
        raise RefusedFile(
            f"The archive holds {len(members):,} files,"
            f" more than the {limits.archive_max_files:,} allowed: send it in parts."
        )
    total = sum(member.file_size for member in members)
    if total > limits.archive_max_bytes:
        raise RefusedFile(
            f"The archive unpacks to {total / MEGABYTE:,.1f} MB,"
            f" more than the {limits.archive_max_bytes / MEGABYTE:,g} MB allowed: send it in parts."
        )


def _member(opened: zipfile.ZipFile, member: zipfile.ZipInfo, limits: Limits) -> ArchiveMember:
    name = clean_name(member.filename)
    try:
        return ArchiveMember(name, _unpacked(opened, member, limits))
    except RefusedFile as refusal:
        return ArchiveMember(name, None, str(refusal))
    except _BROKEN_ARCHIVE:
        return ArchiveMember(name, None, "The file is damaged inside its archive.")


def _unpacked(opened: zipfile.ZipFile, member: zipfile.ZipInfo, limits: Limits) -> bytes:
    if member.flag_bits & _ENCRYPTED:
        raise RefusedFile("The file is encrypted: pack it without a password.")
    if member.filename.lower().endswith(_ARCHIVE_NAMES):
        raise RefusedFile("An archive inside an archive is not opened.")
    if member.compress_type not in _UNPACKED:
        raise RefusedFile("The file is packed in a way this program does not read.")
    refuse_by_size(member.file_size, limits)
    # zipfile stops at the declared size and then compares the checksum: a lie is found out there.
    content = opened.read(member)
    if is_archive(content):
        raise RefusedFile("An archive inside an archive is not opened.")
    return content


def _is_junk(path: str) -> bool:
    """What computers add to folders by themselves, and files that are hidden."""
    return _JUNK.search(path) is not None


class _BoundedReads:
    """An archive that gives no more than a bounded piece at once.

    zipfile takes the whole table of contents into memory, as large as the archive says it is.
    """

    def __init__(self, archive: IO[bytes]) -> None:
        self.seek = archive.seek
        self.tell = archive.tell
        self._archive = archive

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size > LARGEST_READ:
            raise RefusedFile("The archive lists more files than can be read: send it in parts.")
        return self._archive.read(size)


# --- Names

_CONTROL_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # unseen, and the ones that turn text around


def clean_name(name: str) -> str:
    """An uploaded file's name to show: no path, nothing invisible, at most 200 characters."""
    name = PurePosixPath(name.replace("\\", "/")).name
    visible = "".join(c for c in name if unicodedata.category(c) not in _CONTROL_CATEGORIES)
    name = " ".join(unicodedata.normalize("NFC", visible).split())
    if len(name) > LONGEST_NAME:
        stem, dot, extension = name.rpartition(".")
        ending = f"{dot}{extension}" if stem and len(extension) <= LONGEST_EXTENSION else ""
        name = name[: LONGEST_NAME - len(ending)].rstrip() + ending
    return name if name.strip(".") else "unnamed"


LONGEST_EXTENSION = 10
