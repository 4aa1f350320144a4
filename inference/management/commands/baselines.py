"""``manage.py baselines``: simple classifiers in the network's folds, to see what it buys."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from django.core.management.base import BaseCommand, CommandError
from numpy.typing import NDArray

from inference import baselines, dataset
from inference.dataset import Cell, WrongData
from inference.evaluate import Figures
from inference.management.tables import aligned
from inference.splits import FOLDS

FEATURES = "features.npz"


class Command(BaseCommand):
    help = (
        "Ask logistic regression and a random forest about every cell, out of fold by group; "
        "`evaluate_answers --beside NAME=FILE` lays their answers beside the network's."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("data", type=Path, help="folder with im_<Class>/")
        parser.add_argument("--out", type=Path, required=True, help="folder of their answers")
        parser.add_argument("--init", help="as `train` starts; adds the network's frozen features")
        parser.add_argument("--folds", type=int, default=FOLDS)
        parser.add_argument("--seed", type=int, default=1, help="of the folds and of the forest")
        parser.add_argument("--threads", type=int, default=1)

    def handle(  # noqa: PLR0913 -- an argument an option
        self,
        *,
        data: Path,
        out: Path,
        init: str | None,
        folds: int,
        seed: int,
        threads: int,
        **_options: object,
    ) -> None:
        out.mkdir(parents=True, exist_ok=True)
        try:
            cells = dataset.read(data)
            rows = baselines.small_pictures(data, cells)
            sets = [(name, kind, rows) for name, kind in baselines.PIXELS.items()]
            if init:
                features = kept_features(data, cells, out, init, threads=threads)
                sets += [(name, kind, features) for name, kind in baselines.FEATURES.items()]
            table = [("", "accuracy", "macro-F1")]
            for name, kind, numbers in sets:
                answered = baselines.out_of_fold(kind, numbers, cells, folds=folds, seed=seed)
                answered.write(out / f"{name}.npz")
                called = answered.logits.argmax(axis=1)
                figures = Figures.of(answered.truth.tolist(), called.tolist())
                table.append((name, f"{figures.accuracy:.1%}", f"{figures.macro_f1:.1%}"))
        except ImportError as error:
            raise CommandError(f"This needs `pip install .[train]`: {error}.") from error
        except WrongData as error:
            raise CommandError(str(error)) from error
        for line in aligned(table):
            self.stdout.write(line)


def kept_features(
    data: Path, cells: Sequence[Cell], out: Path, init: str, *, threads: int
) -> NDArray[np.float32]:
    """The features of the start, kept beside the answers, for they take minutes.

    Raises:
        CommandError: the start cannot be read.

    """
    files = np.array([cell.file for cell in cells])
    if (out / FEATURES).exists():
        with np.load(out / FEATURES, allow_pickle=False) as kept:
            if kept["init"] == Path(init).name and np.array_equal(kept["files"], files):
                found: NDArray[np.float32] = kept["features"].astype(np.float32)
                return found
    from inference.recipe import Recipe  # noqa: PLC0415 -- these import PyTorch
    from inference.train import CannotTrain, frozen_features  # noqa: PLC0415

    try:
        recipe = Recipe(data=data, out=out, init=init, threads=threads)
        features = frozen_features(recipe, cells)
    except CannotTrain as error:
        raise CommandError(str(error)) from error
    np.savez(out / FEATURES, init=Path(init).name, files=files, features=features)
    return features
