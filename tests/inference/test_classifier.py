"""Images in, predictions out; one bad file never spoils the rest."""

import io
from itertools import count, islice

import numpy as np
import pytest

from inference import load_classifier
from inference.classifier import Prediction
from inference.labels import CellClass
from inference.preprocess import UnreadableImage
from tests.inference.conftest import draw


@pytest.fixture(scope="module")
def classifier(model):
    return load_classifier(model)


def test_a_prediction_says_class_confidence_and_abnormality():
    prediction = Prediction((0.1, 0.5, 0.2, 0.15, 0.05))

    assert prediction.cell_class is CellClass.KOILOCYTOTIC
    assert prediction.confidence == 0.5
    assert prediction.abnormality == pytest.approx(0.6)
    assert prediction.by_name["Parabasal"] == 0.15


def test_probabilities_are_shares_of_one(classifier):
    [prediction] = classifier.classify([draw(CellClass.PARABASAL, 1)])

    assert len(prediction.probabilities) == 5
    assert sum(prediction.probabilities) == pytest.approx(1, abs=1e-12)
    assert all(isinstance(one, float) for one in prediction.probabilities)
    assert prediction.model_version == "drawn-1"
    assert prediction.features.shape == (1280,)
    assert prediction.activation_maps.shape == (5, 7, 7)


def test_bytes_a_path_and_a_picture_are_classified_alike(classifier, tmp_path):
    picture, path = draw(CellClass.METAPLASTIC, 1), tmp_path / "cell.png"
    picture.save(path)

    first, second, third = classifier.classify([picture, path, path.read_bytes()])

    assert first.probabilities == pytest.approx(second.probabilities, abs=1e-6)
    assert first.probabilities == pytest.approx(third.probabilities, abs=1e-6)


def test_bad_files_fail_in_their_place_and_the_others_succeed(classifier):
    images = [draw(CellClass.PARABASAL, number) for number in range(9)]
    expected = classifier.classify(images)

    outcomes = classifier.classify([b"", *images[:4], b"no image", *images[4:]])

    bad = [outcomes.pop(5), outcomes.pop(0)]
    assert [str(one) for one in bad][1] == "The file is empty."
    assert all(isinstance(one, UnreadableImage) for one in bad)
    for outcome, before in zip(outcomes, expected, strict=True):
        assert outcome.probabilities == pytest.approx(before.probabilities, abs=1e-5)


def test_a_batch_of_bad_files_alone_is_answered(classifier):
    outcomes = classifier.classify([b""] * 8)

    assert [type(one) for one in outcomes] == [UnreadableImage] * 8


def test_nothing_in_nothing_out(classifier):
    assert classifier.classify([]) == []


def test_batches_arrive_as_they_are_known_and_images_are_taken_as_needed(classifier):
    taken = count()
    target = io.BytesIO()
    draw(CellClass.PARABASAL, 1).save(target, "PNG")
    endless = (target.getvalue() for _ in taken)

    batches = list(islice(classifier.classify_batches(endless), 2))

    assert [len(batch) for batch in batches] == [8, 8]
    assert next(taken) <= 17


def test_the_same_picture_twice_has_one_answer(classifier):
    picture = draw(CellClass.DYSKERATOTIC, 2)

    first, second = classifier.classify([picture, picture])

    assert np.allclose(first.probabilities, second.probabilities, atol=1e-6)
