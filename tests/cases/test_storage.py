"""The store: by content, whole or not at all, and honest about what is gone."""

import errno
import os
import stat
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.files.storage import InMemoryStorage, default_storage
from django.test import override_settings

from cases import storage
from cases.storage import DamagedImage, MissingImage, StorageFull


def stored_picture(content=b"pixels"):
    return SimpleNamespace(
        digest=sha256(content).hexdigest(), content=content, thumbnail=b"small " + content
    )


@pytest.fixture(autouse=True)
def media(tmp_path):
    with override_settings(MEDIA_ROOT=str(tmp_path)):
        yield tmp_path


@pytest.fixture
def elsewhere():
    """A store that is no file system."""
    storages = {"default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    with override_settings(STORAGES=storages):
        assert isinstance(default_storage, InMemoryStorage)
        yield


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def make_old(media, digest, hours):
    for path in media.rglob(f"{digest}*"):
        then = path.stat().st_mtime - hours * 3600
        os.utime(path, (then, then))


def test_a_picture_is_found_by_its_digest(media):
    picture = stored_picture()

    storage.store(7, picture)

    assert storage.open_image(7, picture.digest) == b"pixels"
    assert storage.open_thumbnail(7, picture.digest) == b"small pixels"
    place = f"cells/7/{picture.digest[:2]}/{picture.digest}"
    assert files_in(media) == [f"{place}.png", f"{place}.thumb.webp"]


@pytest.mark.usefixtures("elsewhere")
def test_a_store_that_is_no_file_system_keeps_pictures_too():
    picture = stored_picture()

    storage.store(7, picture)
    storage.store(7, picture)

    assert storage.open_image(7, picture.digest) == b"pixels"
    assert storage.open_thumbnail(7, picture.digest) == b"small pixels"
    assert [found.digest for found in storage.stored_digests(7)] == [picture.digest]
    storage.delete(7, picture.digest)
    assert list(storage.stored_digests(7)) == []


def test_a_laboratory_does_not_see_the_pictures_of_another():
    picture = stored_picture()
    storage.store(7, picture)

    with pytest.raises(MissingImage):
        storage.open_image(8, picture.digest)
    assert list(storage.stored_digests(8)) == []


def test_storing_twice_keeps_one_and_makes_it_young_again(media):
    picture = stored_picture()
    storage.store(7, picture)
    make_old(media, picture.digest, hours=5)

    storage.store(7, picture)

    [found] = storage.stored_digests(7)
    assert found.age < timedelta(hours=1)
    assert len(files_in(media)) == 2


def test_storing_again_mends_a_damaged_picture(media):
    picture = stored_picture()
    storage.store(7, picture)
    [file] = media.rglob("*.png")
    file.write_bytes(b"pixel?")

    storage.store(7, picture)

    assert storage.open_image(7, picture.digest) == b"pixels"


def test_files_are_readable_as_the_settings_say(media):
    with override_settings(FILE_UPLOAD_PERMISSIONS=0o640):
        storage.store(7, stored_picture())

    assert {stat.S_IMODE(path.stat().st_mode) for path in media.rglob("*.*")} == {0o640}


def test_a_picture_that_is_gone_is_said(media):
    digest = stored_picture().digest

    with pytest.raises(MissingImage, match=f"picture {digest[:8]} is missing"):
        storage.open_image(7, digest)
    with pytest.raises(MissingImage, match=f"picture {digest[:8]} is missing"):
        storage.open_thumbnail(7, digest)


def test_a_picture_that_is_not_what_was_stored_is_said(media):
    picture = stored_picture()
    storage.store(7, picture)
    [file] = media.rglob("*.png")
    file.write_bytes(b"other pixels")

    with pytest.raises(DamagedImage, match="no longer has its digest"):
        storage.open_image(7, picture.digest)


@pytest.mark.parametrize("digest", ["", "../../secret", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_what_is_no_digest_names_no_file(digest):
    with pytest.raises(ValueError, match="is not a SHA-256 digest"):
        storage.open_image(7, digest)


def test_a_deleted_picture_is_gone_and_deleting_again_does_no_harm(media):
    picture = stored_picture()
    storage.store(7, picture)

    storage.delete(7, picture.digest)
    storage.delete(7, picture.digest)

    assert files_in(media) == []


def test_every_stored_picture_is_listed_with_its_age_and_halves_too(media):
    old, young, half = (stored_picture(content) for content in (b"one", b"two", b"three"))
    for picture in (old, young, half):
        storage.store(7, picture)
    make_old(media, old.digest, hours=30)
    [file] = media.rglob(f"{half.digest}.png")
    file.unlink()
    (media / "cells/7/ab").mkdir(exist_ok=True)
    (media / "cells/7/ab/README.txt").write_text("not ours")

    ages = {found.digest: found.age for found in storage.stored_digests(7)}

    assert set(ages) == {old.digest, young.digest, half.digest}
    assert ages[old.digest] > timedelta(hours=29)
    assert ages[young.digest] < timedelta(hours=1)


def test_what_a_killed_process_left_is_removed_once_it_is_old(media):
    storage.store(7, stored_picture())
    for name in ("old", "young"):
        (media / "cells/7/unfinished" / name).write_bytes(b"half a pict")
    make_old(media, "old", hours=2)

    removed = storage.delete_unfinished(7, timedelta(hours=1))

    assert removed == 1
    assert files_in(media / "cells/7/unfinished") == ["young"]
    assert [found.digest for found in storage.stored_digests(7)] == [stored_picture().digest]


def test_nothing_is_removed_where_nothing_was_stored():
    assert storage.delete_unfinished(7, timedelta(hours=1)) == 0


def test_a_full_disk_is_said_and_leaves_nothing_behind(media, monkeypatch):
    def no_room(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_room)

    with pytest.raises(StorageFull, match="no room left for pictures"):
        storage.store(7, stored_picture())

    assert files_in(media) == []


def test_another_failure_of_the_disk_is_left_alone(media, monkeypatch):
    def worn_out(_descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", worn_out)

    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        storage.store(7, stored_picture())


def test_a_picture_appears_only_once_it_is_whole(media, monkeypatch):
    seen = []
    replace = Path.replace

    def looking(path, target):
        seen.append((files_in(media), path.read_bytes()))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", looking)
    picture = stored_picture()

    storage.store(7, picture)

    before_thumbnail, before_image = seen
    assert [name.split("/")[2] for name in before_thumbnail[0]] == ["unfinished"]
    assert before_thumbnail[1] == picture.thumbnail
    assert before_image[1] == picture.content
    assert not any(name.endswith(".png") for name in before_image[0])
