"""A model that learnt from every cell, calibrated by what the networks of folds said of them."""

import json
import shutil
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from inference import dataset, familiarity, manifest, splits
from inference.answered import Answered
from inference.learnt import LEARNT, learnt, sampled
from inference.manifest import FAMILIARITY, MANIFEST

FOLDS = 2


@pytest.fixture(scope="module")
def of_all(model, cells, tmp_path_factory):
    """A model whose manifest says that it learnt from all of ``cells``."""
    folder = shutil.copytree(model, tmp_path_factory.mktemp("models") / "drawn-3")
    parts = splits.Split.parsed("all").of(dataset.read(cells), seed=1)
    described = json.loads((folder / MANIFEST).read_text()) | {
        "name": "drawn-3",
        "recipe": {"epochs": 1, "seed": 1, "split": "all"},
        "split_digest": splits.digest(parts),
    }
    (folder / MANIFEST).write_text(json.dumps(described))
    return folder


@pytest.fixture(scope="module")
def folds(run, cells, tmp_path_factory):
    """Two runs by group with their answers beside each other; the first has its network."""
    place = tmp_path_factory.mktemp("folds")
    every = dataset.read(cells)
    chance = np.random.default_rng(1)

    def answered(asked):
        logits = chance.normal(0, 2, (len(asked), 5)).astype(np.float32)
        return Answered.of(asked, logits, chance.normal(1, 1, (len(asked), 1280)).astype("f4"))

    runs = []
    for fold in range(FOLDS):
        out = shutil.copytree(run, place / f"fold-{fold + 1}") if fold == 0 else None
        out = out or place / f"fold-{fold + 1}"
        out.mkdir(exist_ok=True)
        parts = splits.Split.parsed(f"group:{fold + 1}/{FOLDS}").of(every, seed=1)
        (out / "split.csv").write_text(splits.written(parts))
        recipe = {"epochs": 1 + fold, "seed": 1, "split": f"group:{fold + 1}/{FOLDS}"}
        (out / "recipe.json").write_text(json.dumps(recipe))
        answered(parts["test"]).write(out / "answers.npz")
        if fold:
            answered(parts["train"]).write(out / LEARNT)
        runs.append(out)
    together = Answered.together([Answered.read(one / "answers.npz") for one in runs])
    together.write(place / "out-of-fold.npz")
    return runs


def calibrated(folder, cells, folds, *more):
    out, err = StringIO(), StringIO()
    answers = folds[0].parent / "out-of-fold.npz"
    call_command(
        *("calibrate", str(folder), str(cells), "--answers", str(answers), "--level", "0.5"),
        *more,
        stdout=out,
        stderr=err,
    )
    return out.getvalue(), err.getvalue()


def test_answers_know_which_network_gave_them_and_survive_their_file(folds, tmp_path):
    together = Answered.read(folds[0].parent / "out-of-fold.npz")

    assert list(together.files) == sorted(together.files)
    for fold, run in enumerate(folds):
        files = {f for f, of in zip(together.files, together.folds, strict=True) if of == fold}
        assert files == set(Answered.read(run / "answers.npz").files)
    assert Answered.read(folds[0] / "answers.npz").folds == ()


def test_answers_to_other_cells_are_refused(folds, cells):
    every = dataset.read(cells)
    together = Answered.read(folds[0].parent / "out-of-fold.npz")

    again = together.of_cells(every)
    assert again.files == tuple(cell.file for cell in every)
    with pytest.raises(dataset.WrongData, match="0 are missing, and 1 are more"):
        together.of_cells(every[1:])
    moved = dataset.Cell(every[0].file, every[0].cell_class, "elsewhere")
    with pytest.raises(dataset.WrongData, match="of another class or group when it was answered"):
        together.of_cells([moved, *every[1:]])
    with pytest.raises(dataset.WrongData, match=r"40 are missing, \S+ for one, and 0 are more"):
        Answered.read(folds[0] / "answers.npz").of_cells(every)


def test_what_a_run_says_of_its_own_cells_is_asked_once_and_kept(folds, cells):
    first = learnt(folds[0], cells)

    parts = splits.read(folds[0] / "split.csv")
    assert set(first.files) == {cell.file for cell in parts["train"]}
    assert np.isfinite(first.features).all()
    kept = (folds[0] / LEARNT).read_bytes()
    assert learnt(folds[0], cells).logits == pytest.approx(first.logits)
    assert (folds[0] / LEARNT).read_bytes() == kept


def test_a_sample_is_of_one_size_and_from_all_through_the_cells():
    many = list(range(2705))

    some = sampled(many, 900)

    assert len(some) == len(set(some)) == 900
    assert (some[0], some[-1]) == (0, 2704)
    assert max(np.diff(some)) <= 4
    assert sampled(many[:70], 900) == many[:70]


def test_calibrate_takes_all_cells_out_of_fold(of_all, cells, folds, tmp_path):
    folder = shutil.copytree(of_all, tmp_path / "drawn-3")

    told, beside = calibrated(folder, cells, folds)

    described = manifest.read(folder)
    together = Answered.read(folds[0].parent / "out-of-fold.npz")
    assert described.calibration.cells == len(together.files) == 80
    assert described.calibration.source == (
        "each answered by one of 2 networks that did not learn from its group"
    )
    assert "fitted on 80 cells in 40 groups, each answered by one of 2 networks" in told
    assert beside == f"{folds[1]} had another recipe: epochs.\n"
    known = familiarity.read(folder / FAMILIARITY, described.files[FAMILIARITY])
    assert len(known.distances) == 80


def test_calibrate_refuses_what_is_not_of_all_cells(of_all, of_cells, cells, folds, tmp_path):
    folder = shutil.copytree(of_all, tmp_path / "drawn-3")
    content = (folder / MANIFEST).read_bytes()

    with pytest.raises(CommandError, match="drawn-2 held cells out: calibrate it by those"):
        calibrated(of_cells, cells, folds)
    with pytest.raises(CommandError, match="held out other cells than"):
        calibrated(folder, cells, folds, "--folds", str(folds[0]))
    with pytest.raises(CommandError, match="nowhere is not a training run"):
        calibrated(folder, cells, folds, "--folds", "nowhere")
    with pytest.raises(
        CommandError, match="held no validation part out: calibrate it by --answers"
    ):
        call_command("calibrate", str(folder), str(cells), "--level", "0.5")

    assert (folder / MANIFEST).read_bytes() == content
    assert not (folder / FAMILIARITY).exists()


def test_evaluate_answers_prints_writes_and_draws(cells, folds, tmp_path):
    plotly = tmp_path / "plotly.js"
    plotly.write_text("// drawn here")
    told, found, drawn = StringIO(), tmp_path / "found.json", tmp_path / "page.html"
    answers = folds[0].parent / "out-of-fold.npz"
    arguments = (
        *("evaluate_answers", str(cells), "--group", str(answers), "--run", str(answers)),
        *("--beside", f"half={folds[0] / 'answers.npz'}", "--level", "0.5"),
    )

    call_command(
        *arguments,
        *("--folds", *map(str, folds), "--json", str(found), "--html", str(drawn)),
        *("--plotly", str(plotly)),
        stdout=told,
    )

    figures = json.loads(found.read_text())
    assert list(figures) == ["group", "run", "half", "familiar"]
    assert (figures["group"]["cells"], figures["half"]["cells"]) == (80, 40)
    assert figures["group"]["drawn_units"] == 40
    assert figures["run"]["drawn_units"] == 5
    assert len(figures["familiar"]["kept_by_fold"]) == FOLDS
    for words in ("accuracy, by run", "missed", "sets, mean size", "cells kept as familiar"):
        assert words in told.getvalue()
    page = drawn.read_text()
    assert "Confusion matrix, half" in page
    assert "Research and education only, not for diagnosis." in page


def test_evaluate_answers_tells_other_pictures_by_the_final_model(of_all, cells, folds, tmp_path):
    folder = shutil.copytree(of_all, tmp_path / "drawn-3")
    calibrated(folder, cells, folds)
    told = StringIO()
    answers = str(folds[0].parent / "out-of-fold.npz")

    call_command(
        *("evaluate_answers", str(cells), "--group", answers, "--level", "0.5"),
        *("--model", str(folder), "--drawn", "1"),
        stdout=told,
    )

    assert "familiarity, blank" in told.getvalue()
    assert "abstained 100.0% of 1" in told.getvalue()


def test_evaluate_answers_says_what_is_missing(of_all, cells, folds, tmp_path):
    half = str(folds[0] / "answers.npz")

    with pytest.raises(CommandError, match="Name answers: --group FILE"):
        call_command("evaluate_answers", str(cells))
    with pytest.raises(CommandError, match="40 are missing"):
        call_command("evaluate_answers", str(cells), "--group", half)
    with pytest.raises(CommandError, match="does not hold a network's answers"):
        call_command("evaluate_answers", str(cells), "--cell", "nowhere")
    with pytest.raises(CommandError, match="not like forest=answers"):
        call_command("evaluate_answers", str(cells), "--beside", "forest")
    with pytest.raises(CommandError, match="drawn-3 is not calibrated"):
        call_command(
            *("evaluate_answers", str(cells), "--beside", f"half={half}", "--level", "0.5"),
            *("--model", str(of_all)),
        )
