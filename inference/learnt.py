"""What the network of a training run says of cells it learnt from; kept beside the run.

Familiarity asks how much farther out other cells lie than these. A sample is enough for that:
every class and run gives its share. Imports PyTorch where it is not yet known.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from inference import familiarity, splits
from inference.answered import Answered
from inference.dataset import WrongData
from inference.runtime import OnnxNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.dataset import Cell

SAMPLE = 900  # cells, where there are as many; half a minute on one core
LEARNT = "learnt.npz"
ANSWERS = "answers.npz"


def learnt(run: Path, data: Path, *, threads: int = 1) -> Answered:
    """The answers of a run's network to some of its training cells: read, or asked for and kept.

    Raises:
        WrongData: a cell cannot be read, or the run is not finished.

    """
    if (run / LEARNT).exists():
        return Answered.read(run / LEARNT)
    from inference.export import CannotExport, export  # noqa: PLC0415 -- it imports PyTorch

    with TemporaryDirectory() as place:
        folder = Path(place) / "network"
        try:
            described = export(run, folder)
            parts = splits.parsed((run / "split.csv").read_text(), leaking=True)
        except (CannotExport, OSError) as error:
            raise WrongData(f"{run} is not a finished training run: {error}") from error
        network = OnnxNetwork(folder, described, threads=threads)
        found = Answered.by(network, data, sampled(parts["train"]))
    found.write(run / LEARNT)
    return found


def sampled(cells: Sequence[Cell], count: int = SAMPLE) -> list[Cell]:
    """So many cells, evenly from all through the list; all, where there are fewer.

    Always as many, for a flat lies nearer to the cells the more of them it was laid through.
    """
    if len(cells) <= count:
        return list(cells)
    return [cells[int(place)] for place in np.linspace(0, len(cells) - 1, count)]


def relative_distances(
    runs: list[Path], data: Path, *, threads: int = 1
) -> tuple[tuple[str, ...], familiarity.Floats, tuple[int, ...]]:
    """Of each cell that a run held out: its file, how far out it lay, and the number of the run.

    Raises:
        WrongData: as ``learnt``, or a run has no answers.

    """
    files: list[str] = []
    folds: list[int] = []
    distances = []
    for fold, run in enumerate(runs):
        held_out = Answered.read(run / ANSWERS)
        training = learnt(run, data, threads=threads)
        distances.append(familiarity.relative(training.features, held_out.features))
        files += held_out.files
        folds += [fold] * len(held_out.files)
    return tuple(files), np.concatenate(distances), tuple(folds)
