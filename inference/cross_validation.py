"""Every cell asked by a network that did not learn from it: one training a fold, answers gathered.

Each fold is a training run of its own in ``fold-1``, ``fold-2``, ..., so that what was stopped goes
on where it was. When all are finished the folder holds ``folds.csv`` (who was asked in which fold),
``out-of-fold.npz`` (:class:`inference.answered.Answered` of all cells) and ``metrics.json``.

Two trainings of one thread each, side by side, are quicker than one with two threads: the network
has many small layers, and threads wait for each other at the end of each.
"""

from __future__ import annotations

import csv
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from io import StringIO
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from inference import dataset, splits
from inference.answered import Answered
from inference.evaluate import Figures
from inference.splits import FOLDS, Split
from inference.train import ANSWERS, METRICS, CannotTrain, train

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inference.dataset import Cell
    from inference.recipe import Recipe
    from inference.splits import Unit

OUT_OF_FOLD, FOLD_LIST = "out-of-fold.npz", "folds.csv"


def cross_validate(
    recipe: Recipe,
    unit: Unit,
    *,
    folds: int = FOLDS,
    jobs: int = 1,
    say: Callable[[str], None] = print,
) -> Figures:
    """Train a network for every fold that has none yet, and return the figures of all cells.

    ``recipe.out`` is the folder of the whole; ``recipe.split`` is not looked at.

    Raises:
        CannotTrain: a fold cannot be trained.
        WrongData: the data folder does not hold what it should.

    """
    recipes = [
        replace(
            recipe,
            out=recipe.out / f"fold-{fold}",
            split=Split(unit=unit, fold=fold, folds=folds),
            threads=1 if jobs > 1 else recipe.threads,
        )
        for fold in range(1, folds + 1)
    ]
    recipe.out.mkdir(parents=True, exist_ok=True)
    finished = [one for one in recipes if (one.out / METRICS).exists()]
    for one in finished:
        if _metrics(one.out)["recipe"] != one.described():
            raise CannotTrain(f"{one.out} holds a run of another recipe; see its recipe.json.")
    waiting = [one for one in recipes if one not in finished]
    if jobs > 1:
        # a forked child would inherit PyTorch's threads without the threads themselves
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            list(pool.map(_train, waiting))
    else:
        for one in waiting:
            say(f"{one.split}:")
            _train(one)
    return gather(recipe.out, recipe.data, [one.out for one in recipes])


def gather(out: Path, data: Path, runs: list[Path]) -> Figures:
    """Put the answers of finished folds together; returns the figures of all their cells.

    Raises:
        CannotTrain: a fold is missing or of another recipe, or the folds do not ask every cell
            once.

    """
    cells = dataset.read(data)
    described = [_metrics(run) for run in runs]
    recipes = [
        {name: value for name, value in one["recipe"].items() if name != "split"}
        for one in described
    ]
    if any(one != recipes[0] for one in recipes):
        raise CannotTrain(f"{out} holds folds of different recipes.")
    together = Answered.together([Answered.read(run / ANSWERS) for run in runs])
    if list(together.files) != sorted(cell.file for cell in cells):
        raise CannotTrain(f"The folds in {out} do not ask each cell of {data} once.")
    together.write(out / OUT_OF_FOLD)
    asked = [splits.parsed((run / "split.csv").read_text(), leaking=True)["test"] for run in runs]
    (out / FOLD_LIST).write_text(listed(asked))
    figures = Figures.of(together.truth.tolist(), together.logits.argmax(axis=1).tolist())
    kept = {
        "recipe": recipes[0],
        "unit": str(described[0]["recipe"]["split"]).partition(":")[0],
        "folds": [
            {
                "cells": one["cells"],
                "borders": one["borders"],
                "split_digest": one["split_digest"],
                "training_seconds": one["training_seconds"],
                "accuracy": one["figures"]["test"]["accuracy"],
                "macro_f1": one["figures"]["test"]["macro_f1"],
            }
            for one in described
        ],
        "out_of_fold": asdict(figures),
    }
    (out / METRICS).write_text(json.dumps(kept, indent=2) + "\n")
    return figures


def listed(folds: list[list[Cell]]) -> str:
    """The folds as CSV: file, cell_class, group, image, run, and the fold that asked the cell."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "cell_class", "group", "image", "run", "fold"])
    for number, cells in enumerate(folds, start=1):
        writer.writerows(
            [cell.file, cell.cell_class.value, cell.group, cell.image, cell.run, number]
            for cell in cells
        )
    return text.getvalue()


def _train(recipe: Recipe) -> None:
    """Begin a fold, or go on with it."""
    train(recipe, resume=recipe.out.exists())


def _metrics(run: Path) -> dict[str, Any]:
    try:
        known: dict[str, Any] = json.loads((run / METRICS).read_text())
    except OSError as error:
        raise CannotTrain(f"{run} holds no finished fold.") from error
    return known
