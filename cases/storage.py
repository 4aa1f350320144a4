"""Where pictures lie: stored once a laboratory by the digest of their content, checked when read.

A file appears under its final name whole or not at all. Storing comes before the row that names
the picture, so a crash leaves a file without a row, never a row without a file; ``stored_digests``
and ``delete`` let a sweep find and remove such files.
"""

import errno
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.utils import timezone

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FULL = {errno.ENOSPC, errno.EDQUOT}
_UNFINISHED = "unfinished"  # a folder beside those of two digits


class MissingImage(Exception):
    """A picture that should be in the store is not there."""


class DamagedImage(Exception):
    """A stored picture is no longer what was stored."""


class StorageFull(Exception):
    """There is no room for another picture."""


class Storable(Protocol):
    """What the store needs to know of a picture."""

    @property
    def digest(self) -> str: ...
    @property
    def content(self) -> bytes: ...
    @property
    def thumbnail(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A picture in the store and how long ago it was last stored."""

    digest: str
    age: timedelta


def store(laboratory_id: UUID | int, picture: Storable) -> None:
    """Keep a picture and its thumbnail; a picture that is there already is kept as it is.

    The thumbnail goes first, so that where there is a picture there is a thumbnail.
    """
    files = {
        _thumbnail_name(laboratory_id, picture.digest): picture.thumbnail,
        _image_name(laboratory_id, picture.digest): picture.content,
    }
    with _no_room_is_said():
        if isinstance(default_storage, FileSystemStorage):
            _write_files(default_storage, files)
            return
        for name, content in files.items():
            if not default_storage.exists(name):
                default_storage.save(name, ContentFile(content))


def open_image(laboratory_id: UUID | int, digest: str) -> bytes:
    """The picture exactly as it was stored, or `MissingImage` or `DamagedImage`."""
    content = _read(_image_name(laboratory_id, digest), digest)
    if sha256(content).hexdigest() != digest:
        raise DamagedImage(
            f"The stored picture {digest[:8]} is damaged: its content no longer has its digest."
        )
    return content


def open_thumbnail(laboratory_id: UUID | int, digest: str) -> bytes:
    """The small WebP for a gallery."""
    return _read(_thumbnail_name(laboratory_id, digest), digest)


def delete(laboratory_id: UUID | int, digest: str) -> None:
    """Remove a picture and its thumbnail; one that is not there is removed already."""
    default_storage.delete(_image_name(laboratory_id, digest))
    default_storage.delete(_thumbnail_name(laboratory_id, digest))


def stored_digests(laboratory_id: UUID | int) -> Iterator[StoredImage]:
    """Every picture of the laboratory in the store, half pairs included.

    A sweep spares what is young: its row may not be committed yet. Storing a picture again makes
    it young again.
    """
    now = timezone.now()
    for shelf in _listed(_folder(laboratory_id))[0]:
        newest: dict[str, timedelta] = {}
        for name in _listed(f"{_folder(laboratory_id)}/{shelf}")[1]:
            digest = name.partition(".")[0]
            if _DIGEST.fullmatch(digest):
                with suppress(FileNotFoundError):  # removed by another sweep meanwhile
                    path = f"{_folder(laboratory_id)}/{shelf}/{name}"
                    age = now - default_storage.get_modified_time(path)
                    newest[digest] = min(age, newest.get(digest, age))
        for digest, age in newest.items():
            yield StoredImage(digest, age)


def delete_unfinished(laboratory_id: UUID | int, older_than: timedelta) -> int:
    """Remove what a process killed in the middle of storing has left; returns how many files."""
    folder = f"{_folder(laboratory_id)}/{_UNFINISHED}"
    before = timezone.now() - older_than
    removed = 0
    for name in _listed(folder)[1]:
        with suppress(FileNotFoundError):
            if default_storage.get_modified_time(f"{folder}/{name}") < before:
                default_storage.delete(f"{folder}/{name}")
                removed += 1
    return removed


# --- Names


def _folder(laboratory_id: UUID | int) -> str:
    return f"cells/{laboratory_id}"


def _image_name(laboratory_id: UUID | int, digest: str) -> str:
    return f"{_place(laboratory_id, digest)}.png"


def _thumbnail_name(laboratory_id: UUID | int, digest: str) -> str:
    return f"{_place(laboratory_id, digest)}.thumb.webp"


def _place(laboratory_id: UUID | int, digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{digest!r} is not a SHA-256 digest")
    return f"{_folder(laboratory_id)}/{digest[:2]}/{digest}"


# --- Files


def _listed(folder: str) -> tuple[list[str], list[str]]:
    try:
        return default_storage.listdir(folder)
    except FileNotFoundError:
        return [], []


def _read(name: str, digest: str) -> bytes:
    try:
        with default_storage.open(name) as stored:
            content: bytes = stored.read()
    except FileNotFoundError as error:
        raise MissingImage(f"The picture {digest[:8]} is missing from the store.") from error
    return content


@contextmanager
def _no_room_is_said() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StorageFull(
            "There is no room left for pictures: nothing was stored. Free some space, then send"
            " the file again."
        ) from error


def _write_files(storage: FileSystemStorage, files: Mapping[str, bytes]) -> None:
    """Write beside, make it last, rename: after a crash a file is whole or was never there."""
    changed: set[Path] = set()
    for name, content in files.items():
        final = Path(storage.path(name))
        if _is_there(final, content):
            os.utime(final)  # young again, so that a sweep spares it until its row is there
            continue
        if not final.parent.exists():
            final.parent.mkdir(parents=True, exist_ok=True)
            changed.add(final.parent.parent)
        _write_beside(storage, final, content)
        changed.add(final.parent)
    for folder in changed:
        _sync(folder)


def _is_there(final: Path, content: bytes) -> bool:
    try:
        return final.read_bytes() == content
    except FileNotFoundError:
        return False


def _write_beside(storage: FileSystemStorage, final: Path, content: bytes) -> None:
    unfinished = final.parent.parent / _UNFINISHED
    unfinished.mkdir(exist_ok=True)
    descriptor, path = tempfile.mkstemp(dir=unfinished)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if storage.file_permissions_mode is not None:
                os.fchmod(descriptor, storage.file_permissions_mode)
            os.fsync(descriptor)
        Path(path).replace(final)
    except BaseException:
        Path(path).unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    """Make the names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
