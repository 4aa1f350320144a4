"""Folds trained, gathered, and refused where they do not belong together."""

import csv
import json
from dataclasses import replace

import pytest

from inference import dataset
from inference.answered import Answered
from inference.cross_validation import cross_validate, gather
from inference.recipe import Recipe, Stage
from inference.train import CannotTrain


def quiet(_line):
    pass


@pytest.fixture(scope="module")
def folds(cells, run, tmp_path_factory):
    """A finished cross-validation in two folds by group."""
    recipe = Recipe(
        data=cells,
        out=tmp_path_factory.mktemp("folds"),
        epochs=1,
        batch_size=8,
        init=str(run / "best.safetensors"),
        stages=(Stage(32, 1),),
        threads=1,
    )
    return recipe, cross_validate(recipe, "group", folds=2, say=quiet)


def test_every_cell_is_answered_once_by_a_network_that_did_not_learn_from_it(folds, cells):
    recipe, figures = folds

    together = Answered.read(recipe.out / "out-of-fold.npz")
    assert list(together.files) == sorted(cell.file for cell in dataset.read(cells))
    assert figures.cells == 80
    assert (together.logits.argmax(axis=1) == together.truth).mean() == figures.accuracy
    with (recipe.out / "folds.csv").open() as lines:
        fold_of = {row["file"]: row["fold"] for row in csv.DictReader(lines)}
    for fold in ("1", "2"):
        with (recipe.out / f"fold-{fold}" / "split.csv").open() as lines:
            asked = {row["file"] for row in csv.DictReader(lines) if row["part"] == "test"}
        assert asked == {file for file, number in fold_of.items() if number == fold}
    metrics = json.loads((recipe.out / "metrics.json").read_text())
    assert metrics["unit"] == "group"
    assert [one["borders"]["group"] for one in metrics["folds"]] == [0, 0]


def test_finished_folds_are_not_trained_again(folds):
    recipe, figures = folds
    before = (recipe.out / "fold-1" / "last.safetensors").stat().st_mtime_ns

    assert cross_validate(recipe, "group", folds=2, say=quiet) == figures
    assert (recipe.out / "fold-1" / "last.safetensors").stat().st_mtime_ns == before


def test_a_missing_fold_is_refused(folds):
    recipe, _ = folds

    with pytest.raises(CannotTrain, match="holds no finished fold"):
        gather(recipe.out, recipe.data, [recipe.out / "fold-1", recipe.out / "fold-3"])
    with pytest.raises(CannotTrain, match="do not ask each cell"):
        gather(recipe.out, recipe.data, [recipe.out / "fold-1"])


def test_folds_of_another_recipe_are_refused(folds):
    recipe, _ = folds

    with pytest.raises(CannotTrain, match="another recipe"):
        cross_validate(replace(recipe, head_rate=1e-3), "group", folds=2, say=quiet)
