"""``manage.py classify``: the classes of image files, without a database."""

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from inference import load_classifier
from inference.calibration import CannotCalibrate
from inference.classifier import Prediction
from inference.dataset import SUFFIXES
from inference.preprocess import UnreadableImage
from inference.weights import WrongWeights


class Command(BaseCommand):
    help = "Classify image files, and the images in folders: a line an image."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="FILE|DIR")
        parser.add_argument("--json", action="store_true", help="a JSON object a line")
        parser.add_argument("--model", type=Path, help="a model folder; the shipped one if none")
        parser.add_argument(
            "--level", type=float, help="of the sets, such as 0.95; the model's if none"
        )
        parser.add_argument("--threads", type=int, default=1)

    def handle(
        self,
        *,
        paths: list[Path],
        json: bool,
        model: Path | None,
        level: float | None,
        threads: int,
        **_options: object,
    ) -> None:
        files = list(images(paths))
        if not files:
            raise CommandError("There are no images in what was named.")
        try:
            classifier = load_classifier(model, threads=threads)
            classifier = classifier.at(level) if level else classifier
        except (WrongWeights, CannotCalibrate) as error:
            raise CommandError(str(error)) from error
        self.stderr.write("Research and education only, not for diagnosis.")
        unread = 0
        outcomes = (one for batch in classifier.classify_batches(files) for one in batch)
        for file, outcome in zip(files, outcomes, strict=True):
            unread += isinstance(outcome, UnreadableImage)
            self.stdout.write((as_json if json else as_text)(file, outcome))
        if unread:
            raise CommandError(f"{unread} of {len(files)} files could not be read.")


def images(paths: Iterable[Path]) -> Iterator[Path]:
    """Each file as it is named; of folders the files that are called like images, recursively."""
    for path in paths:
        if path.is_dir():
            yield from sorted(
                file
                for file in path.rglob("*")
                if file.suffix.lower() in SUFFIXES and file.is_file()
            )
        else:
            yield path


def as_text(file: Path, outcome: Prediction | UnreadableImage) -> str:
    if isinstance(outcome, UnreadableImage):
        return f"{file}: {outcome}"
    answer = f"{file}: {outcome.cell_class} {outcome.confidence:.1%}"
    if outcome.abstained:
        return f"{answer}, needs a human look: {' '.join(outcome.reasons)}"
    return answer


def as_json(file: Path, outcome: Prediction | UnreadableImage) -> str:
    if isinstance(outcome, UnreadableImage):
        return json.dumps({"file": str(file), "error": str(outcome)})
    return json.dumps(
        {
            "file": str(file),
            "cell_class": outcome.cell_class,
            "probabilities": outcome.by_name,
            "prediction_set": outcome.prediction_set,
            "level": outcome.level,
            "familiarity": outcome.familiarity,
            "familiar": outcome.familiar,
            "abstained": outcome.abstained,
            "reasons": outcome.reasons,
            "disagreement": outcome.disagreement,
            "model_version": outcome.model_version,
        }
    )
