"""Training on drawn cells: it learns, it can be stopped and resumed, it refuses in sentences."""

import json
from dataclasses import replace

import pytest
import safetensors.torch
import torch

from inference import dataset
from inference.preprocess import PREPROCESSING_VERSION
from inference.train import CannotTrain, Recipe, train


class Stopped(Exception):
    """The power cable, pulled."""


@pytest.fixture
def recipe(cells, tmp_path, run, monkeypatch):
    monkeypatch.setattr("inference.train.CALIBRATION", 16)
    return Recipe(
        data=cells,
        out=tmp_path / "run",
        epochs=3,
        batch_size=8,
        init=str(run / "best.safetensors"),
        sizes=((32, 2), (48, 1)),
        seed=3,
    )


def quiet(_line):
    pass


def test_a_run_leaves_its_recipe_split_history_and_figures(recipe):
    told = []

    figures = train(recipe, say=told.append)

    out = recipe.out
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] == figures.accuracy
    assert metrics["preprocessing_version"] == PREPROCESSING_VERSION
    parts = dataset.parsed((out / "split.csv").read_text())
    assert dataset.digest(parts) == metrics["split_digest"]
    assert figures.cells == len(parts["test"])
    history = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    assert [(line["epoch"], line["side"]) for line in history] == [(1, 32), (2, 32), (3, 48)]
    assert history[-1]["training_loss"] < history[0]["training_loss"]
    assert str(figures) in told[-1]
    assert not list(out.glob("*.part"))


def test_a_stopped_run_resumes_to_the_same_weights(recipe, monkeypatch, tmp_path):
    train(recipe, say=quiet)
    stopped = replace(recipe, out=tmp_path / "stopped")
    epoch = train.__globals__["_epoch"]

    def pulled(recipe, learner, *rest):
        if learner.progress.epochs == 2:
            raise Stopped
        return epoch(recipe, learner, *rest)

    with monkeypatch.context() as patch:
        patch.setitem(train.__globals__, "_epoch", pulled)
        with pytest.raises(Stopped):
            train(stopped, say=quiet)
    train(stopped, resume=True, say=quiet)

    for name in ("last.safetensors", "best.safetensors"):
        whole = safetensors.torch.load_file(recipe.out / name)
        resumed = safetensors.torch.load_file(stopped.out / name)
        assert whole.keys() == resumed.keys()
        assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    history = [
        [json.loads(line)["validation_loss"] for line in path.read_text().splitlines()]
        for path in (recipe.out / "history.jsonl", stopped.out / "history.jsonl")
    ]
    assert history[0] == history[1]


def test_a_finished_run_resumed_tells_its_figures_again(recipe):
    short = replace(recipe, epochs=1)
    figures = train(short, say=quiet)

    assert train(short, resume=True, say=quiet) == figures


def test_a_folder_with_a_run_is_not_overwritten(recipe):
    recipe.out.mkdir()
    (recipe.out / "recipe.json").write_text("{}")

    with pytest.raises(CannotTrain, match="already holds a run"):
        train(recipe, say=quiet)


def test_a_run_of_another_recipe_is_not_resumed(recipe):
    recipe.out.mkdir()
    (recipe.out / "split.csv").touch()
    described = replace(recipe, epochs=2).described()
    (recipe.out / "recipe.json").write_text(json.dumps(described))

    with pytest.raises(CannotTrain, match="another recipe"):
        train(recipe, resume=True, say=quiet)


def test_a_start_with_another_head_keeps_its_body(recipe, run, tmp_path):
    from inference.train import _started

    tensors = safetensors.torch.load_file(run / "best.safetensors")
    tensors["classifier.1.weight"] = torch.zeros(1000, 1280)
    tensors["classifier.1.bias"] = torch.zeros(1000)
    path = tmp_path / "start.safetensors"
    safetensors.torch.save_file(tensors, path)

    network = _started(replace(recipe, init=str(path)), torch.device("cpu"))

    state = network.state_dict()
    assert state["classifier.1.weight"].shape == (5, 1280)
    assert torch.equal(state["features.0.0.weight"], tensors["features.0.0.weight"])


@pytest.mark.parametrize("harm", ["missing", "no safetensors", "another network"])
def test_a_start_that_cannot_be_used_is_refused(recipe, tmp_path, harm):
    path = tmp_path / "start.safetensors"
    if harm == "no safetensors":
        path.write_bytes(b"something else")
    elif harm == "another network":
        safetensors.torch.save_file({"a": torch.zeros(1)}, path)

    with pytest.raises(CannotTrain, match=r"cannot be read as|weights of another network"):
        train(replace(recipe, init=str(path)), say=quiet)


def test_the_training_size_rises_to_that_of_serving(recipe):
    growing = replace(recipe, sizes=((128, 2), (160, 1)), epochs=5)

    assert [growing.side(epoch) for epoch in range(5)] == [128, 128, 160, 224, 224]
