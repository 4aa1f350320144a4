"""ONNX Runtime answers as PyTorch does, alone as in a batch, and without PyTorch."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inference import manifest
from inference.classifier import Classifier
from inference.labels import CellClass
from inference.preprocess import preprocess
from inference.reference import TorchNetwork
from inference.runtime import OnnxNetwork
from tests.inference.conftest import draw


@pytest.fixture(scope="module")
def served(model):
    return OnnxNetwork(model, manifest.read(model))


@pytest.fixture(scope="module")
def pixels():
    return np.stack([preprocess(draw(one, number)) for one in CellClass for number in range(4)])


def test_both_runtimes_agree_on_logits_features_and_maps(model, served, pixels):
    reference = TorchNetwork(model, manifest.read(model))

    ours, theirs = served.answer(pixels), reference.answer(pixels)

    assert theirs.logits.std() > 0.1
    assert np.abs(ours.logits - theirs.logits).max() < 1e-4
    assert np.abs(ours.features - theirs.features).max() < 1e-4
    assert np.abs(ours.maps - theirs.maps).max() < 1e-4


def test_both_runtimes_agree_on_probabilities_of_the_shipped_model():
    folder = manifest.shipped_folder()
    described = manifest.read(folder)
    images = [draw(one, number) for one in CellClass for number in range(4)]

    ours = Classifier(OnnxNetwork(folder, described), "").classify(images)
    theirs = Classifier(TorchNetwork(folder, described), "").classify(images)

    pairs = zip(ours, theirs, strict=True)
    assert max(np.abs(np.subtract(a.probabilities, b.probabilities)).max() for a, b in pairs) < 1e-4


def test_a_picture_has_the_same_answer_alone_and_in_a_batch(served, pixels):
    together = served.answer(pixels)
    alone = [served.answer(pixels[i : i + 1]) for i in range(len(pixels))]

    assert together.logits.shape == (20, 5)
    assert np.abs(together.logits - np.concatenate([one.logits for one in alone])).max() < 1e-4


def test_the_answers_have_their_shapes(served, pixels):
    answers = served.answer(pixels[:3])

    assert answers.logits.shape == (3, 5)
    assert answers.features.shape == (3, 1280)
    assert answers.maps.shape == (3, 5, 6, 6)
    assert answers.maps.dtype == np.float32


def test_no_pictures_are_an_error(served, pixels):
    with pytest.raises(ValueError, match="no pictures"):
        served.answer(pixels[:0])


SERVE = """
import sys
from pathlib import Path
import inference
assert "numpy" not in sys.modules, "importing the app should be cheap"
from pathlib import Path
classifier = inference.load_classifier(Path(sys.argv[1]))
[one] = classifier.classify([b""])
for unwanted in ("torch", "torchvision", "onnx", "safetensors", "django"):
    assert unwanted not in sys.modules, unwanted
print(classifier.model_version)
"""


def test_serving_needs_neither_pytorch_nor_django(model):
    command = [sys.executable, "-c", SERVE, str(model)]

    served = subprocess.run(command, capture_output=True, text=True, check=True)

    assert served.stdout == "drawn-1\n"


COUNT = """
import os, sys
from pathlib import Path
import inference
classifier = inference.load_classifier(Path(sys.argv[1]), threads=int(sys.argv[2]))
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux lists threads there")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_process_computes_on_as_many_threads_as_it_was_told(model, threads):
    """One, where workers should not crowd each other."""
    command = [sys.executable, "-c", COUNT, str(model), str(threads)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

    loaded = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)

    assert loaded.stdout == f"{threads}\n"
