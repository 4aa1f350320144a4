"""What a picture file says about itself: format, size, frames, read before a decoder sees it.

The decoder spends memory on what a header promises and forgives much of what is missing. So the
promises are read here, from the bytes alone, and metadata that a decoder would parse is cut away.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

READABLE = "BMP, PNG, JPEG, TIFF and WebP are."
CUT_OFF = "The picture is cut off before its end."
DAMAGED = "The picture is damaged and cannot be decoded."
MAX_PIECES = 100_000  # strips, tiles or segments; each costs a decoder an object
MAX_DIRECTORIES = 200  # pages of a TIFF that are counted before it is simply "too many"
MAX_ENTRIES = 1_000  # fields of one page; a real one has a few dozen
MAX_SCANS = 64  # passes of a JPEG, each over the whole picture; a real one has about ten
DECODER_LOOKAHEAD = 8 * b"\xff\x00"  # 64 bits, all ones: a code that no table has


class RefusedFile(Exception):
    """This file is not taken in; the message is a sentence for the person who sent it."""


class PictureFormat(StrEnum):
    BMP = "BMP"
    PNG = "PNG"
    JPEG = "JPEG"
    TIFF = "TIFF"
    WEBP = "WebP"


@dataclass(frozen=True, slots=True)
class Header:
    """A picture's own account of itself; ``decodable`` is the file without what need not be read.

    ``orientation`` is the EXIF value that is still to be applied after decoding. ``micrometres``
    is how long a pixel's side is, where the header says so as a microscope would.
    """

    format: PictureFormat
    width: int
    height: int
    decodable: bytes
    frames: int = 1
    orientation: int = 1
    micrometres: float | None = None


def inspect(content: bytes) -> Header:
    """Read the header of a picture, whatever its name says; refuse what is none or is cut off."""
    picture_format = recognise(content)
    try:
        return _READERS[picture_format](content)
    except (struct.error, IndexError, OverflowError) as error:  # it points beyond its end
        raise RefusedFile(CUT_OFF) from error


def recognise(content: bytes) -> PictureFormat:
    """The format by the first bytes, never by a name; anything else is refused by what it is."""
    for signature, picture_format in _SIGNATURES:
        if signature.match(content):
            return picture_format
    for signature, description in _STRANGERS:
        if signature.match(content):
            raise RefusedFile(
                f"This is {description}, not a picture this program reads: {READABLE}"
            )
    raise RefusedFile(f"Not a picture this program reads: {READABLE}")


_SIGNATURES = [
    (re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL), PictureFormat.BMP),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PictureFormat.PNG),
    (re.compile(rb"\xff\xd8\xff"), PictureFormat.JPEG),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), PictureFormat.TIFF),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), PictureFormat.WEBP),
]
_STRANGERS = [
    (re.compile(rb"GIF8"), "a GIF picture"),
    (re.compile(rb".{4}ftyp(hei|hev|mif1|msf1)", re.DOTALL), "a HEIC picture"),
    (re.compile(rb".{4}ftypavi", re.DOTALL), "an AVIF picture"),
    (re.compile(rb".{4}ftyp", re.DOTALL), "a video"),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), "a JPEG 2000 picture"),
    (re.compile(rb"8BPS"), "a Photoshop document"),
    (re.compile(rb".{128}DICM", re.DOTALL), "a DICOM file"),
    (re.compile(rb"%PDF"), "a PDF document"),
    (re.compile(rb"PK\x03\x04|PK\x05\x06"), "a zip archive"),
    (re.compile(rb"\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ"), "a compressed archive"),
    (re.compile(rb"(\xef\xbb\xbf)?\s*<(\?xml[^>]*>\s*<)?svg"), "an SVG drawing"),
    (re.compile(rb"(\xef\xbb\xbf)?[\t\n\r\x20-\x7e]{1,512}\Z|[\t\n\r\x20-\x7e]{512}"), "a text"),
]


def _refuse_crumbs(pieces: int) -> None:
    if pieces > MAX_PIECES:
        raise RefusedFile(f"The picture is cut into more than {MAX_PIECES:,} pieces.")


# --- How long a pixel is

_METRE, _CENTIMETRE, _INCH = 1e6, 1e4, 25_400.0  # in micrometres
_FINEST, _COARSEST = 0.005, 10.0  # micrometres a pixel
_SQUARE = 0.01  # by how much the two sides of a pixel may differ


def _pixel_side(across: float, down: float, unit: float) -> float | None:
    """Micrometres, from so many pixels a unit; None where that says nothing of the specimen.

    Most files carry a density that some program put there for screens or paper, 72 or 300 dots an
    inch. A microscope sees far finer: what is coarser than ten micrometres is no scale.
    """
    if across <= 0 or down <= 0 or abs(across - down) > _SQUARE * across:
        return None
    side = unit / across
    return side if _FINEST <= side <= _COARSEST else None


# --- BMP


def _bmp(content: bytes) -> Header:
    offset, header_size = struct.unpack_from("<II", content, 10)
    if header_size == _BMP_CORE_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
        compression, density = 0, (0, 0)
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", content, 18)
        height = abs(height)  # negative: stored from the top down
        density = struct.unpack_from("<ii", content, 38) if header_size >= _BMP_INFO else (0, 0)
    if compression not in _BMP_UNCOMPRESSED:
        raise RefusedFile("The picture is a compressed BMP, which is not read: save it as PNG.")
    row = (max(width, 0) * bits + 31) // 32 * 4
    if offset + row * height > len(content):
        raise RefusedFile(CUT_OFF)
    side = _pixel_side(*density, _METRE)
    return Header(PictureFormat.BMP, width, height, content, micrometres=side)


_BMP_CORE_HEADER = 12
_BMP_INFO = 40  # bytes of the header that has a density
_BMP_UNCOMPRESSED = (0, 3, 6)  # plain, and the two kinds of bit fields


# --- PNG

# Text, times and the like are not handed on: a text may unpack to more than the picture.
_PNG_DENSITY = ">IIB"
_PNG_NEEDED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"iCCP", b"eXIf"}


def _png(content: bytes) -> Header:
    kept = [content[:8]]
    first, size, frames, orientation = True, (0, 0), 1, 1
    side = None
    for kind, body, whole in _png_chunks(content):
        if first != (kind == b"IHDR"):
            raise RefusedFile(DAMAGED)
        first = False
        if kind == b"IHDR":
            size = struct.unpack_from(">II", body)
        elif kind == b"acTL":
            (frames,) = struct.unpack_from(">I", body)
        elif kind == b"eXIf":
            orientation = _orientation(body)
        elif kind == b"pHYs" and len(body) == struct.calcsize(_PNG_DENSITY):
            across, down, unit = struct.unpack(_PNG_DENSITY, body)
            side = _pixel_side(across, down, _METRE) if unit == 1 else None
        if kind in _PNG_NEEDED:
            kept.append(whole)
            _refuse_crumbs(len(kept))
    return Header(PictureFormat.PNG, *size, b"".join(kept), frames, orientation, side)


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Kind, body and whole of each chunk up to the end marker, each with a checksum that holds."""
    position = 8
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", content, position)
        whole = content[position : position + length + 12]
        if len(whole) < length + 12:
            raise RefusedFile(CUT_OFF)
        if zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:], "big"):
            raise RefusedFile(DAMAGED)
        yield kind, whole[8:-4], whole
        position += length + 12


# --- JPEG

_JPEG_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_JPEG_SEQUENTIAL = {0xC0, 0xC1}  # with Huffman codes; the others come in several passes
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def _jpeg(content: bytes) -> Header:
    """The first picture in the file: phones put a second one behind it, which is left out."""
    kept = [content[:2]]
    frame, size, scans, orientation = 0, (0, 0), 0, 1
    side = None
    for marker, segment in _jpeg_segments(content):
        body = segment[4:]
        if marker in _JPEG_FRAMES:
            frame = marker
            height, width = struct.unpack_from(">HH", body, 1)
            size = (width, height)
        elif marker == _JPEG_SCAN:
            scans += 1
        elif marker == 0xE1 and body.startswith(b"Exif\0\0"):  # noqa: PLR2004 -- APP1
            orientation = _orientation(body)
            side = side or _exif_pixel_side(body)
        elif marker == 0xE0 and body.startswith(b"JFIF\0"):  # noqa: PLR2004 -- APP0
            side = _jfif_pixel_side(body)
        if _jpeg_is_needed(marker, body):
            kept.append(segment)
            _refuse_crumbs(len(kept))
    if not frame or not 0 < scans <= MAX_SCANS:
        raise RefusedFile(DAMAGED)
    # The decoder paints what is missing before the end marker grey and says nothing. Without the
    # marker it has to ask for more, and a picture that lacks its last rows is found out. Of several
    # passes it reads all before it paints, and needs the marker to know the last.
    ending = DECODER_LOOKAHEAD if frame in _JPEG_SEQUENTIAL and scans == 1 else b"\xff\xd9"
    return Header(PictureFormat.JPEG, *size, b"".join([*kept, ending]), 1, orientation, side)


def _jfif_pixel_side(body: bytes) -> float | None:
    try:
        unit, across, down = struct.unpack_from(">BHH", body, 7)
    except struct.error:
        return None
    return _pixel_side(across, down, {1: _INCH, 2: _CENTIMETRE}.get(unit, 0.0))


def _jpeg_is_needed(marker: int, body: bytes) -> bool:
    """Colours depend on JFIF, Adobe and ICC segments; the other application segments are left."""
    if marker == 0xE2:  # noqa: PLR2004 -- APP2
        return body.startswith(b"ICC_PROFILE\0")
    return marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE)  # noqa: PLR2004


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and segment, a scan with its coded data, up to and without the end marker."""
    position = 2
    while True:
        if content[position] != 0xFF:  # noqa: PLR2004 -- every marker starts so
            raise RefusedFile(DAMAGED)
        marker = content[position + 1]
        if marker == 0xFF:  # noqa: PLR2004 -- a fill byte
            position += 1
            continue
        if marker == _JPEG_END:
            return
        (length,) = struct.unpack_from(">H", content, position + 2)
        end = position + 2 + length
        if length < 2:  # noqa: PLR2004 -- the length counts itself
            raise RefusedFile(DAMAGED)
        if marker == _JPEG_SCAN:
            found = _JPEG_MARKER_IN_SCAN.search(content, end)
            end = found.start() if found else len(content)
        if end >= len(content):
            raise RefusedFile(CUT_OFF)
        yield marker, content[position:end]
        position = end


# --- WebP


def _webp(content: bytes) -> Header:
    (length,) = struct.unpack_from("<I", content, 4)
    if length + 8 > len(content):
        raise RefusedFile(CUT_OFF)
    size, frames, orientation = None, 0, 1
    for kind, body in _webp_chunks(content[: length + 8]):
        if size is None:
            size = _webp_size(kind, body)
        if kind == b"ANMF":
            frames += 1
        elif kind == b"EXIF":
            orientation = _orientation(body)
    if size is None:
        raise RefusedFile(DAMAGED)
    return Header(PictureFormat.WEBP, *size, content, max(frames, 1), orientation)


def _webp_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 12
    while position + 8 <= len(content):
        kind, length = struct.unpack_from("<4sI", content, position)
        if position + 8 + length > len(content):
            raise RefusedFile(CUT_OFF)
        yield kind, content[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def _webp_size(kind: bytes, body: bytes) -> tuple[int, int]:
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (packed,) = struct.unpack_from("<I", body, 1)
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    raise RefusedFile(DAMAGED)


# --- TIFF, and the EXIF of the others, which is a small TIFF

_SUBFILE, _WIDTH, _HEIGHT, _ORIENTATION, _PLANES = 254, 256, 257, 274, 277
_STRIPS, _STRIP_BYTES, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 273, 279, 322, 323, 324, 325
_REDUCED = 1  # a page that is only a smaller copy of another
_DENSITY_ACROSS, _DENSITY_DOWN, _DENSITY_UNIT = 282, 283, 296
_DENSITY_UNITS = {2: _INCH, 3: _CENTIMETRE}
_RATIONAL = 5  # the field type of a fraction
_NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}  # the field types that hold whole numbers


@dataclass(frozen=True, slots=True)
class _Entry:
    """One field of a TIFF directory; its numbers are read only when somebody asks."""

    content: bytes
    byte_order: str
    kind: int
    count: int
    inline: bytes
    pointer: int

    @property
    def numbers(self) -> tuple[int, ...]:
        if self.kind not in _NUMBERS or self.count > MAX_PIECES:
            return ()
        layout = f"{self.byte_order}{self.count}{_NUMBERS[self.kind]}"
        if struct.calcsize(layout) <= len(self.inline):
            return struct.unpack_from(layout, self.inline)
        return struct.unpack_from(layout, self.content, self.pointer)

    @property
    def number(self) -> int | None:
        return self.numbers[0] if self.count == 1 and self.numbers else None

    @property
    def fraction(self) -> float:
        """A fraction; 0 where it is none."""
        if self.kind != _RATIONAL or self.count != 1:
            return 0.0
        layout = f"{self.byte_order}II"
        is_here = len(self.inline) >= struct.calcsize(layout)
        place = (self.inline, 0) if is_here else (self.content, self.pointer)
        try:
            over, under = struct.unpack_from(layout, *place)
        except struct.error:
            return 0.0
        return over / under if under else 0.0


_Directory = dict[int, _Entry]


def _directories(content: bytes) -> Iterator[_Directory]:
    """The directories of a TIFF or BigTIFF, one a page."""
    order = "<" if content[:1] == b"I" else ">"
    big = content[2:4] in (b"+\0", b"\0+")
    (position,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", content, 8 if big else 4)
    visited: set[int] = set()
    while position and position not in visited and len(visited) < MAX_DIRECTORIES:
        visited.add(position)
        directory, position = _directory(content, position, order, big=big)
        yield directory


def _directory(content: bytes, position: int, order: str, *, big: bool) -> tuple[_Directory, int]:
    """One directory, and where the next one is."""
    count_layout, entry_layout, address = (
        (f"{order}Q", f"{order}HHQ8s", f"{order}Q")
        if big
        else (f"{order}H", f"{order}HHI4s", f"{order}I")
    )
    (count,) = struct.unpack_from(count_layout, content, position)
    position += struct.calcsize(count_layout)
    step = struct.calcsize(entry_layout)
    if position + count * step > len(content):
        raise RefusedFile(CUT_OFF)
    if count > MAX_ENTRIES:
        raise RefusedFile(DAMAGED)
    directory: _Directory = {}
    for start in range(position, position + count * step, step):
        tag, kind, length, inline = struct.unpack_from(entry_layout, content, start)
        (pointer,) = struct.unpack(address, inline)
        directory[tag] = _Entry(content, order, kind, length, inline, pointer)
    (following,) = struct.unpack_from(address, content, position + count * step)
    return directory, following


def _tiff(content: bytes) -> Header:
    pages = list(_directories(content))
    if not pages:
        raise RefusedFile(CUT_OFF)
    full = [page for page in pages if not (_number(page, _SUBFILE) or 0) & _REDUCED]
    first = pages[0]
    width, height = _number(first, _WIDTH) or 0, _number(first, _HEIGHT) or 0
    _refuse_absurd_pieces(first, width, height)
    for places, lengths in ((_STRIPS, _STRIP_BYTES), (_TILES, _TILE_BYTES)):
        if places in first and lengths in first:
            ends = map(sum, zip(first[places].numbers, first[lengths].numbers, strict=False))
            if max(ends, default=0) > len(content):
                raise RefusedFile(CUT_OFF)
    frames = max(len(full), 1)
    return Header(
        PictureFormat.TIFF, width, height, content, frames, micrometres=_directory_side(first)
    )


def _directory_side(page: _Directory) -> float | None:
    unit = _DENSITY_UNITS.get(_number(page, _DENSITY_UNIT) or 0)
    if unit is None or not {_DENSITY_ACROSS, _DENSITY_DOWN} <= page.keys():
        return None
    return _pixel_side(page[_DENSITY_ACROSS].fraction, page[_DENSITY_DOWN].fraction, unit)


def _refuse_absurd_pieces(page: _Directory, width: int, height: int) -> None:
    """A picture may lie in pieces, but in no more of them, and no larger, than it could need."""
    for tag in (_STRIPS, _TILES):
        if tag in page and page[tag].count > min(MAX_PIECES, _most_pieces(page, tag, height)):
            raise RefusedFile(f"The picture is cut into {page[tag].count:,} pieces.")
    if _TILES in page:
        tile = (_number(page, _TILE_WIDTH) or 0), (_number(page, _TILE_HEIGHT) or 0)
        if tile[0] > width + _LARGEST_TILE or tile[1] > height + _LARGEST_TILE:
            raise RefusedFile("The picture is cut into tiles larger than itself.")


_LARGEST_TILE = 4096  # a small picture in one tile of a usual size is fine


def _most_pieces(page: _Directory, tag: int, height: int) -> int:
    return max(height, 1) * max(_number(page, _PLANES) or 1, 1) if tag == _STRIPS else MAX_PIECES


def _number(page: _Directory, tag: int) -> int | None:
    return page[tag].number if tag in page else None


def _orientation(exif: bytes) -> int:
    """How the camera was held; EXIF that cannot be read is as none."""
    exif = exif.removeprefix(b"Exif\0\0")
    try:
        for directory in _directories(exif):
            return _number(directory, _ORIENTATION) or 1
    except (struct.error, OverflowError, RefusedFile):
        pass
    return 1


def _exif_pixel_side(exif: bytes) -> float | None:
    """What the camera wrote of its resolution; EXIF that cannot be read is as none."""
    exif = exif.removeprefix(b"Exif\0\0")
    try:
        for directory in _directories(exif):
            return _directory_side(directory)
    except (struct.error, OverflowError, RefusedFile):
        pass
    return None


_READERS: dict[PictureFormat, Callable[[bytes], Header]] = {
    PictureFormat.BMP: _bmp,
    PictureFormat.PNG: _png,
    PictureFormat.JPEG: _jpeg,
    PictureFormat.TIFF: _tiff,
    PictureFormat.WEBP: _webp,
}
