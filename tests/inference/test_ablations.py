"""The small trainings that compare recipes: each differs in what it says, and is made once."""

from argparse import Namespace
from dataclasses import fields

import numpy as np
import pytest

from benchmarks import ablations
from inference import augment, dataset, preprocess
from inference.answered import Answered
from inference.recipe import Recipe


def test_every_ablation_changes_something_that_there_is():
    known = {field.name for field in fields(Recipe)}

    for name, one in ablations.ABLATIONS.items():
        assert one.recipe.keys() <= known
        assert all(hasattr(augment, constant) for constant in one.augment)
        plain = ablations.Ablation("")
        differs = (one.recipe, one.augment, one.frozen, one.padded) != (
            *(plain.recipe, plain.augment),
            *(plain.frozen, plain.padded),
        )
        assert differs is (name != "as it is")


def test_what_was_changed_for_a_training_is_as_before_after_it():
    before = augment.BLURRED

    def stopped():
        with ablations.changed(augment, {"BLURRED": 0.0}):
            assert augment.BLURRED == 0.0
            raise InterruptedError

    with pytest.raises(InterruptedError):
        stopped()

    assert before == augment.BLURRED


def test_a_padded_crop_is_square_and_keeps_its_cell_and_its_group(cells, tmp_path):
    every = dataset.read(cells)

    copy = ablations.padded(cells, tmp_path / "padded", every)

    again = dataset.read(copy)
    assert again == every
    assert preprocess.read(copy / every[0].file).width == 64


def test_trainings_are_made_once_and_one_run_is_judged_at_other_sides(
    cells, run, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("inference.train.CALIBRATION", 16)
    monkeypatch.setattr(ablations, "SIDES", (64, 192))
    asked = Namespace(
        data=cells,
        out=tmp_path,
        init=str(run / "best.safetensors"),
        only=["no blur"],
        split="group:1/2",
        epochs=1,
        side=32,
        threads=1,
    )

    ablations.train_all(asked)
    answers = (tmp_path / "no-blur" / "answers.npz").stat().st_mtime_ns
    ablations.train_all(asked)
    ablations.judge(cells, tmp_path / "no-blur", 1)

    assert (tmp_path / "no-blur" / "answers.npz").stat().st_mtime_ns == answers
    assert not (tmp_path / "as-it-is").exists()
    told = capsys.readouterr().out
    lines = [line.split(" | ") for line in told.splitlines() if line.startswith("| ")]
    rows = {line[0].strip("| "): line[2:] for line in lines}
    assert told.count("| no blur |") == 2
    # at the side of serving the run answers as it did at the end of its training
    assert rows["served at 192"] == rows["no blur"]
    assert {"served at 64", "eight views averaged"} <= rows.keys()
    assert np.isfinite(Answered.read(tmp_path / "no-blur" / "answers.npz").logits).all()
    assert preprocess.SIDE == 192
