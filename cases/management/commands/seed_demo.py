"""Fill an empty installation with a demonstration laboratory whose cases are in every state."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from cases import demonstration


class Command(BaseCommand):
    help = __doc__

    def handle(self, **_: object) -> None:
        """Seed once; show the logins, which lie in a file that only this user can read."""
        logins = Path(settings.STATE_DIR) / "demo-logins.txt"
        if not demonstration.is_seeded():
            try:
                cells = demonstration.cells(settings.DEMO_IMAGES)
            except demonstration.NoPictures as error:
                raise CommandError(str(error)) from error
            passwords = demonstration.seed(cells)
            logins.parent.mkdir(parents=True, exist_ok=True)
            logins.touch(mode=0o600)
            logins.write_text(_table(passwords))
        if logins.exists():
            self.stdout.write(logins.read_text())
        else:
            self.stdout.write("The demonstration is there; its logins were shown at its seeding.")


def _table(passwords: dict[str, str]) -> str:
    width = max(map(len, passwords))
    return "".join(f"{email:<{width}}  {password}\n" for email, password in passwords.items())
