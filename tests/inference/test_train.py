"""Training on drawn cells: it learns, it can be stopped and resumed, it refuses in sentences."""

import json
from dataclasses import replace

import pytest
import safetensors
import safetensors.torch
import torch

from inference import splits
from inference.answered import Answered
from inference.preprocess import PREPROCESSING_VERSION
from inference.recipe import Recipe, Stage
from inference.splits import Split
from inference.train import CannotTrain, train


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
        stages=(Stage(32, 2), Stage(48, 1, 4)),
        seed=3,
    )


def quiet(_line):
    pass


def test_two_seeds_learn_from_the_same_cells_where_the_split_has_a_seed_of_its_own(recipe):
    def stop(_line):
        raise Stopped

    second = replace(recipe, out=recipe.out.with_name("second"), seed=4, split_seed=3)

    for one in (recipe, second):
        with pytest.raises(Stopped):
            train(one, say=stop)

    split, other = ((one.out / "split.csv").read_text() for one in (recipe, second))
    assert split == other
    assert second.described()["split_seed"] == 3
    assert "split_seed" not in recipe.described()


def test_a_run_leaves_its_recipe_split_history_and_figures(recipe):
    told = []

    figures = train(recipe, say=told.append)

    out = recipe.out
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["figures"]["test"]["accuracy"] == figures["test"].accuracy
    assert metrics["preprocessing_version"] == PREPROCESSING_VERSION
    parts = splits.parsed((out / "split.csv").read_text())
    assert splits.digest(parts) == metrics["split_digest"]
    assert figures["test"].cells == len(parts["test"])
    history = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    assert [(line["epoch"], line["side"]) for line in history] == [(1, 32), (2, 32), (3, 48)]
    assert history[-1]["training_loss"] < history[0]["training_loss"]
    assert str(figures["test"]) in told[-1]
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
    growing = replace(recipe, stages=(Stage(128, 2), Stage(160, 1, 4)), epochs=5)

    sides = [(growing.stage(epoch).side, growing.stage(epoch).frozen) for epoch in range(5)]
    assert sides == [(128, 0), (128, 0), (160, 4), (192, 0), (192, 0)]


def test_a_fold_keeps_its_last_epoch_and_what_it_answered(recipe):
    fold = replace(recipe, split=Split.parsed("group:2/5"))

    figures = train(fold, say=quiet)

    assert list(figures) == ["test"]
    asked = splits.parsed((fold.out / "split.csv").read_text())["test"]
    answered = Answered.read(fold.out / "answers.npz")
    assert answered.files == tuple(cell.file for cell in asked)
    assert answered.features.shape == (len(asked), 1280)
    right = (answered.logits.argmax(axis=1) == answered.truth).mean()
    assert right == pytest.approx(figures["test"].accuracy)
    metrics = json.loads((fold.out / "metrics.json").read_text())
    assert metrics["best_epoch"] == 3
    assert metrics["borders"]["group"] == 0


def test_all_cells_can_be_learnt_from(recipe):
    whole = replace(recipe, split=Split.parsed("all"), epochs=1)

    assert train(whole, say=quiet) == {}
    assert json.loads((whole.out / "metrics.json").read_text())["figures"] == {}
    assert not (whole.out / "answers.npz").exists()


def test_frozen_blocks_change_neither_weights_nor_statistics(recipe):
    frozen = replace(recipe, split=Split.parsed("all"), stages=(Stage(32, 1, 4),), epochs=1)

    train(frozen, say=quiet)

    with safetensors.safe_open(frozen.out / "last.safetensors", framework="pt") as file:
        after = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 -- no dict
    before = safetensors.torch.load_file(recipe.init)
    kept = [key for key in before if key.startswith(("features.2", "features.3"))]
    assert all(
        torch.equal(after[f"network.{key}"], before[key])
        for key in kept
        if key.endswith(("weight", "bias"))
    )
    moved = [key for key in before if key.startswith("features.5") and key.endswith("0.weight")]
    assert any(not torch.equal(after[f"network.{key}"], before[key]) for key in moved)


def test_a_run_stops_when_its_best_epoch_is_long_past(recipe, monkeypatch):
    patient = replace(recipe, epochs=6, patience=1, body_rate=0.0, head_rate=0.0)

    train(patient, say=quiet)

    history = (patient.out / "history.jsonl").read_text().splitlines()
    assert len(history) < 6
    metrics = json.loads((patient.out / "metrics.json").read_text())
    assert metrics["best_epoch"] == len(history) - 1


def test_blocks_below_learn_more_slowly(recipe):
    from inference.train import _optimizer, _started

    decaying = replace(recipe, layer_decay=0.5)

    groups = _optimizer(_started(decaying, torch.device("cpu")), decaying).param_groups

    rates = sorted({group["lr"] for group in groups}, reverse=True)
    assert rates == [2e-3] + [4e-4 * 0.5**depth for depth in range(9)]


@pytest.mark.parametrize(
    "options",
    [{"smoothing": 0.1}, {"mixup": 0.4}, {"bootstrap": 0.3}],
    ids=lambda one: next(iter(one)),
)
def test_what_is_wanted_can_be_softened(recipe, options):
    from inference.train import _loss

    soft = replace(recipe, **options, epochs=1)
    logits = torch.tensor([[4.0, 0, 0, 0, 0]])
    wanted = torch.tensor([[0.0, 1, 0, 0, 0]])

    train(soft, say=quiet)

    assert json.loads((soft.out / "recipe.json").read_text()).items() >= options.items()
    if "mixup" not in options:  # mixing happens before the loss
        assert _loss(soft, logits, wanted) < _loss(recipe, logits, wanted)


def test_bootstrapping_does_more_than_shorten_the_gradient(recipe):
    from inference.train import _loss

    def direction(recipe):
        logits = torch.tensor([[1.0, 0, 0, 0, 0]], requires_grad=True)
        _loss(recipe, logits, torch.tensor([[0.0, 1, 0, 0, 0]])).backward()
        return logits.grad / logits.grad.norm()

    plain, bootstrapped = direction(recipe), direction(replace(recipe, bootstrap=0.3))

    assert torch.dot(plain[0], bootstrapped[0]) < 0.99
