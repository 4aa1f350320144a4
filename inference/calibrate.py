"""Fit what travels with the answers of a model folder: temperature, prediction sets, familiarity.

To the cells that its split held out, or, where it learnt from every cell, to what networks of its
recipe answered out of fold.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from inference import calibration, manifest, runtime, weights
from inference.answered import Answered, parts_of
from inference.calibration import LEVEL
from inference.dataset import WrongData
from inference.evaluate import Figures
from inference.familiarity import Familiarity
from inference.learnt import relative_distances, sampled
from inference.manifest import FAMILIARITY
from inference.runtime import OnnxNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inference.manifest import Manifest


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
