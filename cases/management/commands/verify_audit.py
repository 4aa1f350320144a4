"""Walk the chains of events, the signed reports and the pictures; name what was tampered with."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.chain import KeptHead
from accounts.models import ChainHead, Laboratory
from cases import integrity, wording


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--heads",
            type=Path,
            metavar="FILE",
            help="Compare with the heads of the chains kept here by earlier runs, and add those of"
            " now. Keep the file where nobody who can change the database can change it.",
        )
        parser.add_argument(
            "--no-pictures", action="store_true", help="Leave out the pictures, which take longest."
        )

    def handle(self, *, heads: Path | None, no_pictures: bool, **_: Any) -> None:  # noqa: ANN401
        """Exit with status 1 and a sentence for each thing found, the chains first."""
        kept = _read(heads) if heads else []
        ends = [KeptHead.of(head) for head in ChainHead.objects.all()]  # before they are walked
        laboratories = Laboratory.objects.order_by("pk")
        found = [
            sentence
            for laboratory in laboratories
            for sentence in integrity.breaks(laboratory, kept, pictures=not no_pictures)
        ]
        gone = {head.laboratory for head in kept} - {laboratory.pk for laboratory in laboratories}
        found += [f"Laboratory {pk}, a head of which was kept, is gone." for pk in sorted(gone)]
        if found:
            sentences = "\n".join(found)
            raise CommandError(f"{sentences}\n{wording.count(len(found), 'break')} found.")
        if heads:
            _add(heads, [end for end in ends if end not in kept])
        events = wording.count(sum(end.length for end in ends), "event")
        pictures = "" if no_pictures else " and every picture"
        self.stdout.write(f"Whole: {events}, every report{pictures}.")


def _read(file: Path) -> list[KeptHead]:
    """The heads kept so far; a file that is not there yet has none."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [KeptHead.from_json(line) for line in lines]
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(f"{file} does not hold heads that this command wrote.") from error


def _add(file: Path, heads: Sequence[KeptHead]) -> None:
    try:
        with file.open("a", encoding="utf-8") as kept:
            kept.writelines(f"{head.to_json()}\n" for head in heads)
    except OSError as error:
        raise CommandError(f"The heads cannot be written to {file}: {error}") from error
