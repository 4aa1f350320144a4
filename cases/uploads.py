"""Uploaded files and archives become cell images, each with its own fate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from django.core.files.uploadedfile import UploadedFile

from accounts.models import User
from cases import intake, workflow
from cases.models import Case, CellImage
from cases.storage import StorageFull
from cases.workflow.preparation import refuse_images

STORED, KNOWN, REFUSED = "stored", "known", "refused"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one file: stored, known (already in this case) or refused, and why."""

    name: str
    fate: str
    reason: str = ""
    image: CellImage | None = None


def take(case: Case, user: User, files: Iterable[UploadedFile[bytes]]) -> Iterator[Fate]:
    """Store what is a picture, open what is an archive, refuse the rest; none spoils another.

    Raises `workflow.InvalidTransition` when the case is no draft and `PermissionDenied` when it is
    not this user's.
    """
    refuse_images(case, user)
    limits = intake.limits()
    for file in files:
        name = intake.clean_name(file.name or "unnamed")
        start = file.read(4)
        file.seek(0)
        if intake.is_archive(start):
            yield from _unpacked(case, user, file, limits)
            continue
        try:
            intake.refuse_by_size(file.size or 0, limits)  # before it is read into memory
        except intake.RefusedFile as error:
            yield Fate(name, REFUSED, str(error))
        else:
            yield _stored(case, user, name, file.read())


def _unpacked(
    case: Case, user: User, archive: UploadedFile[bytes], limits: intake.Limits
) -> Iterator[Fate]:
    try:
        for member in intake.unpack(cast("BinaryIO", archive), limits):
            if member.content is None:
                yield Fate(member.name, REFUSED, member.refusal)
            else:
                yield _stored(case, user, member.name, member.content)
    except intake.RefusedFile as error:
        yield Fate(intake.clean_name(archive.name or "archive"), REFUSED, str(error))


def _stored(case: Case, user: User, name: str, content: bytes) -> Fate:
    try:
        image = workflow.add_image(case, user, name, content)
    except workflow.AlreadyInCase as known:
        return Fate(name, KNOWN, str(known), known.image)
    except (intake.RefusedFile, StorageFull) as error:
        return Fate(name, REFUSED, str(error))
    return Fate(name, STORED, image=image)
