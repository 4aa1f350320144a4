"""``manage.py calibrate``: fit a model's temperature, prediction sets and familiarity."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from inference import calibration, manifest, runtime, weights
from inference.answered import Answered, parts_of
from inference.calibration import LEVEL, CannotCalibrate
from inference.dataset import WrongData
from inference.evaluate import Figures
from inference.familiarity import Familiarity
from inference.learnt import relative_distances, sampled
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
        "its familiarity to the training part, or all three to answers out of fold; before it is "
        "registered, for its digest changes."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", type=Path, help="the model folder to calibrate")
        parser.add_argument("data", type=Path, help="the data folder it was trained on")
        parser.add_argument("--split-file", type=Path, help="the training's split.csv, if at hand")
        parser.add_argument(
            "--answers",
            type=Path,
            metavar="FILE",
            help="for a model that learnt from every cell: what networks of its recipe answered "
            "out of fold, by group",
        )
        parser.add_argument(
            "--folds",
            type=Path,
            nargs="+",
            default=(),
            metavar="RUN",
            help="their training runs; those beside --answers, if not named",
        )
        parser.add_argument("--level", type=share, default=LEVEL, help="of the prediction sets")
        parser.add_argument("--threads", type=int, default=1)

    def handle(  # noqa: PLR0913 -- an argument an option
        self,
        *,
        model: Path,
        data: Path,
        split_file: Path | None,
        answers: Path | None,
        folds: Sequence[Path],
        level: float,
        threads: int,
        **_options: object,
    ) -> None:
        try:
            if answers:
                runs = list(folds) or sorted(
                    one.parent for one in answers.parent.glob("*/answers.npz")
                )
                for run, what in other_recipes(manifest.read(model), runs):
                    self.stderr.write(f"{run} had another recipe: {what}.")
                described = calibrate_out_of_fold(
                    model, data, answers, runs, level=level, threads=threads
                )
            else:
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
    if "validation" not in parts:
        raise WrongData(
            f"{described.name} held no validation part out: calibrate it by --answers out of fold."
        )
    network = runtime.load(folder, described, threads=threads)
    held_out = Answered.by(network, data, parts["validation"])
    fitted = calibration.fit(
        held_out.logits,
        held_out.truth,
        held_out.groups,
        source="the validation part of the training's split by group",
        level=level,
    )
    training = Answered.by(network, data, parts["train"])
    known = Familiarity.fit(training.features, held_out.features)
    return _written(folder, described, fitted, known)


def calibrate_out_of_fold(  # noqa: PLR0913 -- the last two have defaults
    folder: Path,
    data: Path,
    answers: Path,
    runs: Sequence[Path],
    *,
    level: float = LEVEL,
    threads: int = 1,
) -> Manifest:
    """Calibrate a model that learnt from every cell by what others of its recipe said of them.

    Their temperature and sets are taken for its own. Familiarity is the model's own flat, and how
    far from theirs the cells lay that they did not learn from.

    Raises:
        WrongWeights: the folder holds no whole model.
        WrongData: the model held cells out, or the answers or runs are of other cells.
        CannotCalibrate: too few groups for the level.

    """
    described = manifest.read(folder)
    if described.others:
        raise WrongData(
            f"{described.name} is an ensemble: answers of one network say nothing of it."
        )
    parts = parts_of(described, data)
    if set(parts) != {"train"}:
        raise WrongData(f"{described.name} held cells out: calibrate it by those.")
    answered = Answered.read(answers).of_cells(parts["train"])
    files, relative, _ = relative_distances(list(runs), data, threads=threads)
    if sorted(files) != sorted(answered.files):
        raise WrongData(f"The runs of the folds held out other cells than {answers} answers.")
    fitted = calibration.fit(
        answered.logits,
        answered.truth,
        answered.groups,
        source=f"each answered by one of {len(runs)} networks that did not learn from its group",
        level=level,
    )
    network = OnnxNetwork(folder, described, threads=threads)
    training = Answered.by(network, data, sampled(parts["train"]))
    known = Familiarity.fit_relative(training.features, relative)
    # what is kept as the model's figures: it has no cells of its own to be asked about
    figures = asdict(Figures.of(answered.truth.tolist(), answered.logits.argmax(axis=1).tolist()))
    measured = replace(described, figures={"out_of_fold": figures})
    return _written(folder, measured, fitted, known)


def other_recipes(described: Manifest, runs: Sequence[Path]) -> list[tuple[Path, str]]:
    """The runs whose recipe is not the model's, with what differs; their splits of course do."""
    found = []
    for run in runs:
        try:
            recipe = json.loads((run / "recipe.json").read_text())
        except (OSError, ValueError) as error:
            raise WrongData(f"{run} is not a training run: it has no recipe.json.") from error
        differing = [
            name
            for name in sorted(recipe.keys() | described.recipe.keys())
            if name not in {"split", "data"} and recipe.get(name) != described.recipe.get(name)
        ]
        if differing:
            found.append((run, ", ".join(differing)))
    return found


def _written(
    folder: Path, described: Manifest, fitted: calibration.Calibration, known: Familiarity
) -> Manifest:
    content = known.written()
    calibrated = replace(
        described,
        files=described.files | {FAMILIARITY: weights.digest(content)},
        calibration=fitted,
    )
    (folder / FAMILIARITY).write_bytes(content)
    calibrated.write(folder)
    return calibrated
