"""``manage.py register_model``: make a model folder known, and choose which model answers."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from inference import registry
from inference.manifest import shipped_folder
from inference.weights import WrongWeights


class Command(BaseCommand):
    help = "Register a model folder (the shipped one if none is named)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", nargs="?", type=Path, help="a folder with model.json")
        parser.add_argument("--current", action="store_true", help="let it answer new runs")

    def handle(self, *, folder: Path | None, current: bool, **_options: object) -> None:
        try:
            if folder or current:
                version = registry.register(folder or shipped_folder(), current=current)
            else:
                version = registry.register_shipped()
        except WrongWeights as error:
            raise CommandError(str(error)) from error
        standing = "current" if version.is_current else "not current"
        self.stdout.write(f"{version.name} is registered, {standing}.")
