"""A calibrated model folder: what is missing, cut short, changed or swapped is refused."""

import json
import shutil

import pytest

from inference import load_classifier, manifest
from inference.manifest import FAMILIARITY, GRAPH, MANIFEST
from inference.weights import WrongWeights
from tests.inference.conftest import draw


@pytest.fixture
def folder(calibrated, tmp_path):
    """A copy to be spoilt."""
    return shutil.copytree(calibrated, tmp_path / "drawn-2")


def change(folder, **parts):
    """Change parts of a manifest's calibration."""
    path = folder / MANIFEST
    described = json.loads(path.read_text())
    described["calibration"] |= parts
    path.write_text(json.dumps(described))


def test_a_calibrated_model_answers_with_set_familiarity_and_reasons(calibrated):
    classifier = load_classifier(calibrated)

    [prediction] = classifier.classify([draw("Parabasal", 1)])

    assert prediction.prediction_set[0] is prediction.cell_class
    assert 0 <= prediction.familiarity <= 1
    assert classifier.calibration == manifest.read(calibrated).calibration


def test_every_part_of_the_calibration_is_in_the_digest(calibrated, folder):
    whole = manifest.read(calibrated).digest
    content = (calibrated / MANIFEST).read_text()

    for part in (
        {"temperature": 1.5},
        {"thresholds": {"0.5": 0.123}},
        {"level": 0.9, "thresholds": {"0.5": 0.1, "0.9": 0.2}},
    ):
        (folder / MANIFEST).write_text(content)
        change(folder, **part)
        assert manifest.read(folder).digest != whole


def test_the_file_of_familiarity_is_in_the_digest(calibrated, folder):
    path = folder / MANIFEST
    path.write_text(path.read_text().replace(manifest.read(folder).files[FAMILIARITY], "0" * 64))

    assert manifest.read(folder).digest != manifest.read(calibrated).digest


@pytest.mark.parametrize("spoil", ["missing", "cut short", "swapped"])
def test_a_wrong_file_of_familiarity_is_refused(folder, spoil):
    path = folder / FAMILIARITY
    if spoil == "missing":
        path.unlink()
    elif spoil == "cut short":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.write_bytes((folder / GRAPH).read_bytes())

    with pytest.raises(WrongWeights, match=FAMILIARITY):
        load_classifier(folder)


@pytest.mark.parametrize(
    "part",
    [{"temperature": -1}, {"temperature": "warm"}, {"level": 0.75}, {"colour": "blue"}],
)
def test_a_calibration_that_makes_no_sense_is_refused(folder, part):
    change(folder, **part)

    with pytest.raises(WrongWeights, match="does not describe a model"):
        manifest.read(folder)


def test_a_calibration_without_its_file_is_refused(folder):
    described = json.loads((folder / MANIFEST).read_text())
    del described["files"][FAMILIARITY]
    (folder / MANIFEST).write_text(json.dumps(described))

    with pytest.raises(WrongWeights, match=r"should consist of .* and familiarity\.npz"):
        load_classifier(folder)
