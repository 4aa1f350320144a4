"""Forget the second factors of one account, for an administrator whom nobody else can help."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from accounts import people
from accounts.people import Refused

LONGEST_NAME = 100  # characters, in a record that is never changed


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="With which the person logs in.")
        parser.add_argument(
            "--operator",
            required=True,
            metavar="NAME",
            help="Who runs this: it stands in the record that cannot be changed.",
        )

    def handle(self, *, email: str, operator: str, **_: object) -> None:
        """Say what was forgotten, and what the person does next."""
        operator = operator.strip()
        if not operator or len(operator) > LONGEST_NAME or not operator.isprintable():
            raise CommandError(f"Say who you are, in at most {LONGEST_NAME} characters.")
        try:
            person, forgotten = people.reset_factors_on_server(email, operator)
        except Refused as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        factors = "1 second factor" if forgotten == 1 else f"{forgotten} second factors"
        self.stdout.write(
            f"Forgotten: {factors} of {person.name} ({person.email}, {person.laboratory}), and the "
            f"recovery codes. Their sessions have ended; the password is what it was. It is on "
            f"record as done by {operator}. Have them log in and set up a second factor at once."
        )
