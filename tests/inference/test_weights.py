"""Model files are known by their digest: a wrong, truncated or swapped one is refused."""

import json
import shutil

import pytest
import torch

from inference import load_classifier, manifest, reference, weights
from inference.manifest import GRAPH, MANIFEST, WEIGHTS
from inference.runtime import OnnxNetwork
from inference.weights import WrongWeights


@pytest.fixture
def copied(model, tmp_path):
    return shutil.copytree(model, tmp_path / model.name)


def changed_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def removed(path):
    path.unlink()


@pytest.mark.parametrize("file", [WEIGHTS, GRAPH])
@pytest.mark.parametrize("harm", [changed_byte, truncated, removed])
def test_a_harmed_file_is_refused_by_name(copied, file, harm):
    harm(copied / file)

    with pytest.raises(WrongWeights, match=file.replace(".", r"\.")):
        load_classifier(copied)


def test_swapped_files_are_refused(copied):
    (copied / WEIGHTS).rename(copied / "other")
    (copied / GRAPH).rename(copied / WEIGHTS)
    (copied / "other").rename(copied / GRAPH)

    with pytest.raises(WrongWeights, match="is not the file this model was made of"):
        load_classifier(copied)


def test_a_file_that_is_no_graph_is_refused_even_if_the_manifest_names_it(copied):
    (copied / GRAPH).write_bytes(b"no graph")
    described = json.loads((copied / MANIFEST).read_text())
    described["files"][GRAPH] = weights.digest(b"no graph")
    (copied / MANIFEST).write_text(json.dumps(described))

    with pytest.raises(WrongWeights, match="cannot be loaded"):
        load_classifier(copied)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"labels": ["Koilocytotic"]}, "other classes"),
        ({"preprocessing_version": "another"}, "prepared as another"),
        ({"files": {WEIGHTS: "0"}}, "should consist of"),
        ({"surprise": 1}, "does not describe a model"),
    ],
)
def test_a_manifest_this_program_cannot_serve_is_refused(copied, change, sentence):
    described = json.loads((copied / MANIFEST).read_text())
    (copied / MANIFEST).write_text(json.dumps(described | change))

    with pytest.raises(WrongWeights, match=sentence):
        manifest.read(copied)


@pytest.mark.parametrize("text", ["", "[1, 2]", "{"])
def test_a_manifest_that_is_no_manifest_is_refused(copied, text):
    (copied / MANIFEST).write_text(text)

    with pytest.raises(WrongWeights, match="does not describe a model"):
        manifest.read(copied)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(WrongWeights, match="There is no model in"):
        load_classifier(tmp_path)


def test_the_digest_of_a_model_changes_with_what_decides_an_answer(model):
    described = manifest.read(model)
    fields = {name: getattr(described, name) for name in manifest.Manifest.__slots__}

    def digest(**change):
        return manifest.Manifest(**(fields | change)).digest

    assert digest(figures={}, name="other") == described.digest
    assert digest(files=described.files | {GRAPH: "0"}) != described.digest
    assert digest(files=described.files | {WEIGHTS: "0"}) != described.digest
    assert digest(preprocessing_version="other") != described.digest


def test_a_loaded_network_is_the_saved_one(run):
    content = (run / "best.safetensors").read_bytes()

    network = reference.load(run / "best.safetensors", weights.digest(content))

    import safetensors.torch

    saved = safetensors.torch.load(content)
    loaded = network.state_dict()
    assert saved.keys() == loaded.keys()
    assert all(torch.equal(saved[key], loaded[key]) for key in saved)
    assert not network.training


def test_weights_of_another_network_are_refused(tmp_path):
    import safetensors.torch

    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"a": torch.zeros(1)}, path, metadata={"norm_eps": "0.001"})

    with pytest.raises(WrongWeights, match="does not hold weights of this network"):
        reference.load(path, weights.digest(path.read_bytes()))


def test_the_graph_holds_no_second_copy_of_the_weights(model):
    assert (model / GRAPH).stat().st_size < 300_000
    assert OnnxNetwork(model, manifest.read(model)) is not None
