"""An ensemble: networks that answer together, its files and its doubts."""

import json
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch

from inference import load_classifier, manifest
from inference.answered import Answered
from inference.assess import Assessed, ensemble
from inference.calibrate import calibrate_out_of_fold
from inference.calibration import Calibration, softmax
from inference.classifier import Classifier, Prediction
from inference.dataset import WrongData
from inference.export import CannotExport, export
from inference.labels import CellClass
from inference.manifest import GRAPH, MANIFEST, WEIGHTS
from inference.preprocess import preprocess
from inference.reference import TorchNetwork
from inference.runtime import Answers, Ensemble, OnnxNetwork
from inference.weights import WrongWeights
from tests.inference.conftest import draw
from tests.inference.test_classifier import FLAT


@pytest.fixture(scope="module")
def second_run(run, tmp_path_factory):
    """Another seed of the same training: the same split, other weights."""
    folder = shutil.copytree(run, tmp_path_factory.mktemp("runs") / "second")
    tensors = safetensors.torch.load_file(folder / "best.safetensors")
    torch.manual_seed(9)
    head = tensors["classifier.1.weight"]
    tensors["classifier.1.weight"] = head + torch.randn_like(head) * 0.05
    safetensors.torch.save_file(
        tensors, folder / "best.safetensors", metadata={"norm_eps": "0.001"}
    )
    return folder


@pytest.fixture(scope="module")
def pair(run, second_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "pair-1"
    export(run, folder, second_run)
    return folder


@pytest.fixture
def spoilt(pair, tmp_path):
    """A copy to be spoilt."""
    return shutil.copytree(pair, tmp_path / "pair-1")


@pytest.fixture(scope="module")
def pixels():
    return np.stack([preprocess(draw(one, number)) for one in CellClass for number in range(2)])


def test_an_ensemble_answers_the_mean_of_its_networks_probabilities(pair, pixels):
    described = manifest.read(pair)
    networks = [OnnxNetwork(pair, described, place) for place in described.members]

    together = Ensemble(networks).answer(pixels)

    first, second = (network.answer(pixels) for network in networks)
    mean = (softmax(first.logits) + softmax(second.logits)) / 2
    assert np.abs(first.logits - second.logits).max() > 0.1
    assert softmax(together.logits) == pytest.approx(mean, abs=1e-6)
    assert together.members == pytest.approx(
        np.stack([softmax(first.logits), softmax(second.logits)])
    )
    assert (together.features == first.features).all()
    assert (together.maps == first.maps).all()


def test_every_network_answers_in_pytorch_as_it_is_served(pair, pixels):
    described = manifest.read(pair)

    for place in described.members:
        ours = OnnxNetwork(pair, described, place).answer(pixels)
        theirs = TorchNetwork(pair, described, place).answer(pixels)
        assert np.abs(ours.logits - theirs.logits).max() < 1e-4


def test_a_loaded_ensemble_says_how_far_its_networks_are_apart(pair, model):
    [told] = load_classifier(pair).classify([draw(CellClass.PARABASAL, 1)])
    [alone] = load_classifier(model).classify([draw(CellClass.PARABASAL, 1)])

    assert 0 < told.disagreement < 0.5
    assert alone.disagreement is None
    assert sum(told.probabilities) == pytest.approx(1)


class Members:
    """An ensemble whose networks said this."""

    def __init__(self, *members):
        self.members = np.array(members, dtype=float)[:, None, :]

    def answer(self, pixels):
        mean = self.members.mean(axis=0)
        return Answers(
            np.log(mean).astype(np.float32),
            np.float32([[1, 0]]),
            np.zeros((1, 5, 6, 6), dtype=np.float32),
            self.members,
        )


def said(*members):
    fitted = Calibration(1.0, 0.99, {"0.99": 0.97}, "", 1, 1)
    classifier = Classifier(Members(*members), "said", fitted, FLAT)
    [prediction] = classifier.classify([draw(CellClass.PARABASAL, 1)])
    return prediction


SURE = [0.004, 0.004, 0.004, 0.984, 0.004]
OTHER = [0.004, 0.004, 0.984, 0.004, 0.004]


def test_networks_that_name_different_classes_are_a_reason_in_words():
    prediction = said(SURE, OTHER, SURE)

    assert "The model's networks disagree: 2 Parabasal, 1 Metaplastic." in prediction.reasons
    assert prediction.disagreement == pytest.approx(0.98 * 4 / 9)
    assert prediction.named == (
        CellClass.PARABASAL,
        CellClass.METAPLASTIC,
        CellClass.PARABASAL,
    )


def test_networks_of_one_mind_are_none():
    prediction = said(SURE, SURE)

    assert (prediction.reasons, prediction.disagreement) == ((), 0)


def test_the_temperature_is_of_the_mean():
    fitted = Calibration(2.0, 0.99, {"0.99": 0.97}, "", 1, 1)

    [told] = Classifier(Members(SURE, OTHER), "said", fitted, FLAT).classify(
        [draw(CellClass.PARABASAL, 1)]
    )

    roots = np.sqrt(np.add(SURE, OTHER) / 2)
    assert told.probabilities == pytest.approx(roots / roots.sum())


def test_what_several_networks_buy_is_measured():
    predictions = [said(SURE, SURE), said(SURE, OTHER), said(SURE, [0.1, 0.1, 0.1, 0.6, 0.1])]
    assessed = Assessed.from_predictions(np.array([3, 2, 3]), ["a", "b", "c"], predictions)

    found = ensemble(assessed)

    assert found["accuracy_of_each"] == pytest.approx([2 / 3, 1])
    assert found["disagree"] == pytest.approx(1 / 3)
    assert found["accuracy_where_they_agree"] == 1


def test_one_network_has_nothing_to_disagree_with():
    alone = [Prediction((0.1, 0.1, 0.1, 0.6, 0.1))]

    assert ensemble(Assessed.from_predictions(np.array([3]), ["a"], alone)) is None


# Making one


def test_a_manifest_names_every_file_and_how_every_network_was_made(pair):
    described = manifest.read(pair)

    assert set(described.files) == {
        WEIGHTS,
        GRAPH,
        f"member-2/{WEIGHTS}",
        f"member-2/{GRAPH}",
    }
    assert described.others == [{"epochs": 1}]
    assert described.members == ("", "member-2/")
    assert described.figures == {}  # the runs kept no answers to compare


def test_an_ensemble_has_the_figures_of_its_mean_answer(run, second_run, tmp_path):
    logits = np.float32([[[4, 0, 0, 0, 0], [0, 1, 0, 0, 0]], [[0, 0, 0, 0, 0], [0, 0, 9, 0, 0]]])
    runs = [
        shutil.copytree(one, tmp_path / name)
        for one, name in ((run, "first"), (second_run, "second"))
    ]
    for one, said_by_it in zip(runs, logits, strict=True):
        Answered(
            said_by_it, np.zeros((2, 1280), np.float32), np.array([0, 1]), ("a", "b"), ("a", "b")
        ).write(one / "answers.npz")

    described = export(runs[0], tmp_path / "pair", runs[1])

    assert described.figures["test"]["accuracy"] == 0.5


def test_runs_of_different_splits_make_no_ensemble(run, second_run, tmp_path):
    other = shutil.copytree(second_run, tmp_path / "other")
    metrics = json.loads((other / "metrics.json").read_text()) | {"split_digest": "1" * 64}
    (other / "metrics.json").write_text(json.dumps(metrics))

    with pytest.raises(CannotExport, match="differ in split_digest"):
        export(run, tmp_path / "pair", other)
    with pytest.raises(CannotExport, match="the same network"):
        export(run, tmp_path / "pair", run)
    with pytest.raises(CannotExport, match="no finished training run"):
        export(run, tmp_path / "pair", tmp_path)
    assert not (tmp_path / "pair").exists()


def test_answers_of_one_network_calibrate_no_ensemble(pair, tmp_path):
    with pytest.raises(WrongData, match="pair-1 is an ensemble"):
        calibrate_out_of_fold(pair, tmp_path, tmp_path / "answers.npz", [])


# Refusing what is no whole ensemble


@pytest.mark.parametrize("name", [WEIGHTS, GRAPH])
@pytest.mark.parametrize("spoil", ["missing", "cut short", "swapped"])
def test_a_wrong_file_of_a_member_is_refused_by_name(spoilt, name, spoil):
    path = spoilt / "member-2" / name
    if spoil == "missing":
        path.unlink()
    elif spoil == "cut short":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.write_bytes((spoilt / GRAPH).read_bytes()[::-1])

    with pytest.raises(WrongWeights, match=f"^member-2/{name}"):
        load_classifier(spoilt)


def test_a_missing_member_is_refused(spoilt):
    shutil.rmtree(spoilt / "member-2")

    with pytest.raises(WrongWeights, match="member-2/weights"):
        load_classifier(spoilt)


def change(folder, **parts):
    described = json.loads((folder / MANIFEST).read_text()) | parts
    (folder / MANIFEST).write_text(json.dumps(described))


def test_a_manifest_with_more_or_fewer_members_than_files_is_refused(spoilt):
    change(spoilt, others=[])
    with pytest.raises(WrongWeights, match=r"should consist of weights\.safetensors and network"):
        manifest.read(spoilt)

    change(spoilt, others=[{}, {}])
    with pytest.raises(WrongWeights, match=r"member-3/network\.onnx"):
        manifest.read(spoilt)


def test_a_member_twice_is_no_ensemble(spoilt):
    files = json.loads((spoilt / MANIFEST).read_text())["files"]
    change(spoilt, files=files | {f"member-2/{WEIGHTS}": files[WEIGHTS]})

    with pytest.raises(WrongWeights, match="holds the same network twice"):
        manifest.read(spoilt)


@pytest.mark.parametrize("name", [WEIGHTS, GRAPH])
def test_every_member_is_in_the_digest(pair, spoilt, name):
    files = json.loads((spoilt / MANIFEST).read_text())["files"]
    change(spoilt, files=files | {f"member-2/{name}": "0" * 64})

    assert manifest.read(spoilt).digest != manifest.read(pair).digest
