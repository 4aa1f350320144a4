"""Doubtful labels, cells that were cut out twice, baselines: each where the truth is known."""

import csv
import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from inference import baselines, dataset, splits
from inference.answered import Answered
from inference.crossfit import cross_fitted
from inference.dataset import Cell
from inference.doubtful import coverage, doubts
from inference.duplicates import near_duplicates, slid
from inference.labels import CellClass
from tests.inference.made_up import made_up


@pytest.fixture(scope="module")
def mislabelled():
    """Answers of a good network to cells of which the first thirty bear another's label."""
    answered = made_up(groups=400, sharpness=6.0)
    clear = answered.chosen(np.flatnonzero(answered.logits.argmax(axis=1) == answered.truth))
    return replace(
        clear,
        truth=np.where(np.arange(len(clear.truth)) < 30, (clear.truth + 1) % 5, clear.truth),
    )


def test_labels_that_were_changed_are_doubted_and_hardly_any_other(mislabelled):
    found = doubts(mislabelled, cross_fitted(mislabelled, level=0.9))

    files = {one.file for one in found}
    changed = set(mislabelled.files[:30])
    assert len(files & changed) >= 25
    assert len(files - changed) < 0.01 * len(mislabelled.files)
    assert found[0].label_probability <= found[-1].label_probability
    place = mislabelled.files.index(found[0].file)
    assert found[0].label == list(CellClass)[mislabelled.truth[place]]
    assert found[0].suggested == list(CellClass)[mislabelled.logits[place].argmax()]


def test_sets_of_doubtful_cells_do_not_cover_their_labels(mislabelled):
    crossed = cross_fitted(mislabelled, level=0.9)
    found = doubts(mislabelled, crossed)

    parts = coverage(mislabelled, crossed, found)

    assert parts["label doubted"].cells == len(found)
    assert parts["label doubted"].right == 0
    assert parts["label doubted"].covered < 0.4 < parts["not doubted"].covered
    cells = parts["label doubted"].cells + parts["not doubted"].cells
    assert parts["all cells"].cells == cells == len(mislabelled.files)


def speckled(seed, height=240, width=240):
    """A picture like no other, coarse enough to be seen when small."""
    coarse = np.random.default_rng(seed).integers(60, 220, (5, 5, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def twice(tmp_path):
    """A cell cut out of two pictures, a little apart; the same with another label; three others."""
    cells = []

    def keep(picture, name, cell_class, image, group):
        picture.save(tmp_path / name)
        cells.append(Cell(name, cell_class, group, image, ""))

    slide = speckled(1)
    keep(slide.crop((20, 20, 200, 200)), "a.png", CellClass.METAPLASTIC, "M-1", "g1")
    keep(slide.crop((26, 14, 212, 196)), "b.png", CellClass.KOILOCYTOTIC, "K-1", "g2")
    keep(slide.crop((22, 20, 200, 200)), "c.png", CellClass.METAPLASTIC, "M-1", "g1")
    for seed in (2, 3, 4):
        keep(speckled(seed), f"{seed}.png", CellClass.PARABASAL, f"P-{seed}", f"p{seed}")
    return tmp_path, cells


def test_a_cell_cut_out_of_two_pictures_is_found_with_its_labels(twice):
    folder, cells = twice

    found = near_duplicates(folder, cells)

    assert {(one.first.file, one.second.file) for one in found} == {
        ("a.png", "b.png"),
        ("b.png", "c.png"),
    }
    assert all(one.contradictory and one.apart for one in found)
    assert found[0].correlation >= found[1].correlation > 0.97


def test_sliding_finds_the_place_and_other_pictures_correlate_less():
    slide = np.asarray(speckled(5).convert("L"), dtype=np.float32)

    assert slid(slide[10:110, 10:110], slide[16:100, 4:96]) == pytest.approx(1, abs=1e-4)
    assert slid(slide[:100, :100], 255 - slide[:90, :90]) < 0.9
    assert slid(np.ones((30, 30), dtype=np.float32), slide[:20, :20]) == pytest.approx(0, abs=1e-6)


def test_the_pairs_that_lie_beside_the_data_are_found(sipakmed):
    with (sipakmed / "near_duplicates.csv").open() as lines:
        known = {
            frozenset((row["file_a"], row["file_b"])): float(row["ncc"])
            for row in csv.DictReader(lines)
        }
    near = {file for pair in known for file in pair}
    cells = [cell for cell in dataset.read(sipakmed) if cell.file in near]

    found = {
        frozenset((one.first.file, one.second.file)) for one in near_duplicates(sipakmed, cells)
    }

    strong = {pair for pair, correlation in known.items() if correlation > 0.98}
    assert len(found & strong) > 0.95 * len(strong)
    assert found <= known.keys()


@pytest.fixture(scope="module")
def answered(cells, tmp_path_factory):
    """Answers to the drawn cells, two of them against their labels."""
    every = dataset.read(cells)
    truth = np.array([list(CellClass).index(cell.cell_class) for cell in every])
    truth[[0, 40]] = (truth[[0, 40]] + 1) % 5
    chance = np.random.default_rng(2)
    logits = (6 * np.eye(5)[truth] + chance.normal(0, 1, (80, 5))).astype(np.float32)
    path = tmp_path_factory.mktemp("answers") / "out-of-fold.npz"
    Answered.of(every, logits, np.zeros((80, 0), dtype=np.float32)).write(path)
    return path


def test_check_labels_lists_and_writes_and_changes_nothing(answered, cells, tmp_path):
    told, listed = StringIO(), tmp_path / "labels.csv"
    before = {path: path.read_bytes() for path in sorted(cells.rglob("*.bmp"))}

    call_command(
        *("check_labels", str(answered), "--data", str(cells), "--level", "0.9"),
        *("--csv", str(listed)),
        stdout=told,
    )

    every = dataset.read(cells)
    rows = list(csv.DictReader(listed.read_text().splitlines()))
    doubtful = {row["file"] for row in rows if row["kind"] == "doubtful"}
    assert doubtful
    assert doubtful <= {every[0].file, every[40].file}
    for words in ("labels are doubtful", "show the same cell", "label doubted", "looks like"):
        assert words in told.getvalue()
    assert before == {path: path.read_bytes() for path in sorted(cells.rglob("*.bmp"))}


def test_check_labels_refuses_answers_to_other_cells(answered, cells, tmp_path):
    read = Answered.read(answered)
    read.chosen(np.arange(70)).write(tmp_path / "fewer.npz")

    with pytest.raises(CommandError, match="10 are missing"):
        call_command("check_labels", str(tmp_path / "fewer.npz"), "--data", str(cells))
    with pytest.raises(CommandError, match="need 99 groups"):
        call_command("check_labels", str(answered), "--data", str(cells))


def test_a_baseline_never_learns_from_the_fold_it_is_asked_about(cells, monkeypatch):
    every = dataset.read(cells)
    rows = np.arange(80, dtype=np.float32)[:, None]
    fitted = []

    class Noting:
        classes_ = np.arange(5)

        def fit(self, rows, truth):
            fitted.append({int(row[0]) for row in rows})

        def predict_proba(self, rows):
            assert not fitted[-1] & {int(row[0]) for row in rows}
            return np.full((len(rows), 5), 0.2)

    monkeypatch.setattr(baselines, "_made", lambda kind, seed: Noting())

    answered = baselines.out_of_fold("logistic", rows, every, folds=4, seed=3)

    assert sorted(answered.files) == sorted(cell.file for cell in every)
    for fold in range(4):
        parts = splits.Split.parsed(f"group:{fold + 1}/4").of(every, seed=3)
        files = {f for f, of in zip(answered.files, answered.folds, strict=True) if of == fold}
        assert files == {cell.file for cell in parts["test"]}


def test_the_baselines_tell_coloured_cells_and_are_laid_beside_the_network(
    cells, run, answered, tmp_path, monkeypatch
):
    monkeypatch.setattr(baselines, "TREES", 20)
    out, told = tmp_path / "base", StringIO()
    start = str(run / "best.safetensors")
    arguments = ("baselines", str(cells), "--out", str(out), "--folds", "2", "--init", start)

    call_command(*arguments, stdout=told)
    features = (out / "features.npz").read_bytes()
    call_command(*arguments, stdout=StringIO())

    assert (out / "features.npz").read_bytes() == features
    forest = Answered.read(out / "forest-pixels.npz")
    assert (forest.logits.argmax(axis=1) == forest.truth).mean() > 0.6
    assert "logistic-features" in told.getvalue()
    table = StringIO()
    call_command(
        *("evaluate_answers", str(cells), "--group", str(answered), "--level", "0.5"),
        *("--beside", f"forest={out / 'forest-pixels.npz'}"),
        stdout=table,
    )
    assert "forest" in table.getvalue()


def test_histories_are_drawn_side_by_side(tmp_path):
    plotly = tmp_path / "plotly.js"
    plotly.write_text("// drawn here")
    for name, more in (("a", {"validation_macro_f1": 0.9}), ("b", {})):
        (tmp_path / name).mkdir()
        lines = [
            {"epoch": i, "side": 128, "training_loss": 1 / i, "training_accuracy": 0.5} | more
            for i in (1, 2)
        ]
        (tmp_path / name / "history.jsonl").write_text("\n".join(map(json.dumps, lines)))
    page = tmp_path / "page.html"

    call_command(
        *("plot_history", str(tmp_path / "a"), str(tmp_path / "b")),
        *("--html", str(page), "--plotly", str(plotly)),
        stdout=StringIO(),
    )

    drawn = page.read_text()
    assert '"a, training loss"' in drawn
    assert '"b, training accuracy"' in drawn
    assert '"a, validation macro f1"' in drawn
    assert '"b, validation macro f1"' not in drawn
    with pytest.raises(CommandError, match="nowhere holds no history of a training"):
        call_command("plot_history", "nowhere", "--html", str(page), "--plotly", str(plotly))
