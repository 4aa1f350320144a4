"""Registered models: known by digest, one current, loaded once a process."""

import json
import shutil

import pytest
from django.db import IntegrityError, transaction

from inference import manifest, registry
from inference.manifest import GRAPH, MANIFEST
from inference.models import ModelVersion
from inference.registry import NoCurrentModel
from inference.weights import WrongWeights
from tests.inference.conftest import draw

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def model_dir(settings, tmp_path):
    settings.MODEL_DIR = tmp_path / "kept"
    registry.forget()
    yield settings.MODEL_DIR
    registry.forget()


def renamed(model, folder, name):
    """The same model under another name."""
    copy = shutil.copytree(model, folder / name)
    described = json.loads((copy / MANIFEST).read_text()) | {"name": name}
    (copy / MANIFEST).write_text(json.dumps(described))
    return copy


def test_the_shipped_model_is_registered_once_and_becomes_current():
    first = registry.register_shipped()
    second = registry.register_shipped()

    assert first == second
    assert ModelVersion.objects.count() == 1
    described = manifest.read(manifest.shipped_folder())
    assert (first.name, first.digest) == (described.name, described.digest)
    assert first.figures == described.figures
    assert registry.current() == first


def test_the_shipped_model_takes_over_from_one_that_is_gone(model, model_dir, tmp_path):
    registry.register(renamed(model, tmp_path, "older"), current=True)

    beside = registry.register_shipped()
    assert not beside.is_current

    shutil.rmtree(model_dir / "older")
    assert registry.register_shipped() == registry.current() == beside


def test_without_a_model_there_is_a_sentence():
    with pytest.raises(NoCurrentModel, match="No model is registered"):
        registry.current()


def test_a_second_model_waits_until_it_is_made_current(model, tmp_path):
    first = registry.register(renamed(model, tmp_path, "first"), current=False)
    folder = renamed(model, tmp_path, "second")

    second = registry.register(folder, current=False)
    assert registry.current() == first

    registry.register(folder, current=True)
    assert registry.current() == second


def test_the_database_refuses_two_current_models():
    fields = {"digest": "0", "labels": [], "preprocessing_version": "1", "figures": {}}
    ModelVersion.objects.create(name="one", is_current=True, **fields)

    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.create(name="two", is_current=True, **fields)

    ModelVersion.objects.create(name="two", **fields)
    ModelVersion.objects.create(name="three", **fields)


def test_a_model_from_elsewhere_is_kept_and_answers(model, model_dir, tmp_path):
    folder = renamed(model, tmp_path, "elsewhere")
    version = registry.register(folder, current=True)
    shutil.rmtree(folder)

    [prediction] = registry.classifier_for(version).classify([draw("Parabasal", 1)])

    assert (model_dir / "elsewhere" / MANIFEST).exists()
    assert prediction.model_version == "elsewhere"


def test_a_classifier_is_loaded_once_in_a_process(model, tmp_path):
    version = registry.register(renamed(model, tmp_path, "once"), current=True)

    assert registry.classifier_for(version) is registry.classifier_for(version)


def test_another_model_of_the_same_name_is_refused(model, tmp_path):
    version = registry.register(renamed(model, tmp_path, "same"), current=True)
    ModelVersion.objects.filter(pk=version.pk).update(digest="f" * 64)

    with pytest.raises(WrongWeights, match="Another model is registered as same"):
        registry.register(tmp_path / "same", current=True)


def test_a_folder_that_was_exchanged_after_registration_does_not_answer(model, model_dir, tmp_path):
    version = registry.register(renamed(model, tmp_path, "exchanged"), current=True)
    path = model_dir / "exchanged" / MANIFEST
    described = json.loads(path.read_text())
    described["files"][GRAPH] = "0" * 64
    path.write_text(json.dumps(described))

    with pytest.raises(WrongWeights, match="no longer holds the model registered"):
        registry.classifier_for(version)


def test_a_folder_that_is_gone_does_not_answer(model, model_dir, tmp_path):
    version = registry.register(renamed(model, tmp_path, "gone"), current=True)
    shutil.rmtree(model_dir / "gone")

    with pytest.raises(WrongWeights, match="no folder gone"):
        registry.classifier_for(version)


def test_a_broken_model_is_not_registered(model, tmp_path):
    folder = renamed(model, tmp_path, "broken")
    (folder / GRAPH).write_bytes(b"")

    with pytest.raises(WrongWeights):
        registry.register(folder, current=True)

    assert not ModelVersion.objects.exists()
