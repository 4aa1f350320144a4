"""``manage.py calibrate``: fit a model's temperature, prediction sets and familiarity."""

from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import replace
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from inference import calibration, manifest, weights
from inference.answered import Answered, parts_of
from inference.calibration import LEVEL, CannotCalibrate
from inference.dataset import WrongData
from inference.familiarity import Familiarity
from inference.manifest import FAMILIARITY, Manifest
from inference.runtime import OnnxNetwork
from inference.weights import WrongWeights


def share(text: str) -> float:
    """A number between 0 and 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise ArgumentTypeError(f"{text!r} is not a number between 0 and 1")
    return value


class Command(BaseCommand):
    help = (
        "Fit a model's temperature and prediction sets to the validation part of its split, and "
        "its familiarity to the training part; before it is registered, for its digest changes."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", type=Path, help="the model folder to calibrate")
        parser.add_argument("data", type=Path, help="the data folder it was trained on")
        parser.add_argument("--split-file", type=Path, help="the training's split.csv, if at hand")
        parser.add_argument("--level", type=share, default=LEVEL, help="of the prediction sets")
        parser.add_argument("--threads", type=int, default=1)

    def handle(
        self,
        *,
        model: Path,
        data: Path,
        split_file: Path | None,
        level: float,
        threads: int,
        **_options: object,
    ) -> None:
        try:
            described = calibrate(model, data, split_file, level=level, threads=threads)
        except (WrongWeights, WrongData, CannotCalibrate) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{described.name}: {described.calibration}.")
        self.stdout.write(f"Its digest is {described.digest[:12]} now.")


def calibrate(
    folder: Path,
    data: Path,
    split: Path | None = None,
    *,
    level: float = LEVEL,
    threads: int = 1,
) -> Manifest:
    """Calibrate a model folder by the split it was trained with, and return its new manifest.

    Raises:
        WrongWeights: the folder holds no whole model.
        WrongData: the split is another model's, or a cell cannot be read.
        CannotCalibrate: too few groups for the level.

    """
    described = manifest.read(folder)
    parts = parts_of(described, data, split)
    network = OnnxNetwork(folder, described, threads=threads)
    held_out = Answered.by(network, data, parts["validation"])
    fitted = calibration.fit(
        held_out.logits,
        held_out.truth,
        held_out.groups,
        source="the validation part of the training's split by group",
        level=level,
    )
    training = Answered.by(network, data, parts["train"])
    content = Familiarity.fit(training.features, held_out.features).written()
    calibrated = replace(
        described,
        files=described.files | {FAMILIARITY: weights.digest(content)},
        calibration=fitted,
    )
    (folder / FAMILIARITY).write_bytes(content)
    calibrated.write(folder)
    return calibrated
