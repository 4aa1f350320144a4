"""Images in, predictions out; one bad file never spoils the rest."""

import io
from itertools import count, islice

import numpy as np
import pytest
from PIL import Image

from inference import load_classifier
from inference.calibration import Calibration, CannotCalibrate
from inference.classifier import Classifier, Prediction
from inference.familiarity import Familiarity
from inference.labels import CellClass
from inference.preprocess import UnreadableImage
from inference.runtime import Answers
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
    assert prediction.activation_maps.shape == (5, 6, 6)


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
    assert next(taken) <= 25  # one batch ahead of the two that were asked for


def test_the_same_picture_twice_has_one_answer(classifier):
    picture = draw(CellClass.DYSKERATOTIC, 2)

    first, second = classifier.classify([picture, picture])

    assert np.allclose(first.probabilities, second.probabilities, atol=1e-6)


class Saying:
    """A network that answers every picture with the same logits and features."""

    def __init__(self, logits, features):
        self.logits, self.features = logits, features

    def answer(self, pixels):
        count = len(pixels)
        return Answers(
            np.tile(np.float32(self.logits), (count, 1)),
            np.tile(np.float32(self.features), (count, 1)),
            np.zeros((count, 5, 6, 6), dtype=np.float32),
        )


FLAT = Familiarity(
    np.zeros(2, dtype=np.float32),
    np.array([[1.0], [0.0]], dtype=np.float32),
    np.linspace(0, 0.5, 101, dtype=np.float32),
)
KNOWN, UNKNOWN = (1, 0), (0, 1)


def said(logits, features=KNOWN, picture=None, *, temperature=1.0, threshold=0.9):
    """The prediction of a calibrated classifier whose network says this."""
    fitted = Calibration(temperature, 0.99, {"0.99": threshold}, "", 1, 1)
    classifier = Classifier(Saying(logits, features), "said", fitted, FLAT)
    [prediction] = classifier.classify([picture or draw(CellClass.PARABASAL, 1)])
    return prediction


def test_a_sure_answer_on_a_known_cell_is_stood_by():
    prediction = said([0, 0, 0, 9, 0])

    assert prediction.prediction_set == (CellClass.PARABASAL,)
    assert (prediction.familiarity, prediction.familiar) == (1.0, True)
    assert (prediction.reasons, prediction.abstained) == ((), False)


def test_probabilities_are_those_of_the_temperature():
    prediction = said([0, 0, 0, np.log(16), 0], temperature=2.0)

    assert prediction.probabilities == pytest.approx((1 / 8, 1 / 8, 1 / 8, 1 / 2, 1 / 8))


def test_r24_more_than_one_possible_class_is_a_reason_that_names_them():
    prediction = said([1, 3, 3.5, 0, 0])

    assert prediction.prediction_set == (CellClass.METAPLASTIC, CellClass.KOILOCYTOTIC)
    assert prediction.reasons == (
        "It may be Metaplastic or Koilocytotic: at 99% none is ruled out.",
    )
    assert prediction.abstained


def test_r24_where_no_class_is_likely_enough_the_set_is_not_shown_empty_and_a_reason_says_so():
    prediction = said([0, 0, 0, 0.1, 0], threshold=0.5)

    assert prediction.prediction_set == (CellClass.PARABASAL,)
    assert prediction.reasons == ("No class is likely enough at 99%.",)


def test_r25_a_prediction_says_the_level_and_the_threshold_of_its_set():
    fitted = Calibration(1.0, 0.99, {"0.99": 0.9, "0.95": 0.5}, "", 1, 1)
    picture = draw(CellClass.PARABASAL, 1)
    strict = Classifier(Saying([1, 3, 3.5, 0, 0], KNOWN), "said", fitted, FLAT)

    [usual], [lax] = strict.classify([picture]), strict.at(0.95).classify([picture])

    assert (usual.level, usual.threshold, len(usual.prediction_set)) == (0.99, 0.9, 2)
    assert (lax.level, lax.threshold, len(lax.prediction_set)) == (0.95, 0.5, 1)
    assert lax.probabilities == usual.probabilities


def test_a_level_that_the_model_does_not_know_is_refused():
    fitted = Calibration(1.0, 0.99, {"0.99": 0.9, "0.95": 0.5}, "", 1, 1)

    with pytest.raises(CannotCalibrate, match="no prediction sets at 90%, but at 95%, 99%"):
        Classifier(Saying([0] * 5, KNOWN), "said", fitted, FLAT).at(0.9)


def test_a_model_without_sets_answers_at_any_level():
    bare = Classifier(Saying([0] * 5, KNOWN), "bare")

    assert bare.at(0.9) is bare


def test_pictures_that_could_not_be_fetched_keep_their_place(classifier):
    gone = UnreadableImage("It is gone.")

    [outcomes] = classifier.classify_batches([draw(CellClass.PARABASAL, 1), gone])

    assert isinstance(outcomes[0], Prediction)
    assert outcomes[1] is gone


def test_a_fault_in_fetching_reaches_who_asked(classifier):
    def broken():
        yield draw(CellClass.PARABASAL, 1)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(classifier.classify_batches(broken()))


def test_r24_an_unfamiliar_picture_is_not_stood_by_however_sure_the_network_is():
    prediction = said([0, 0, 0, 50, 0], UNKNOWN)

    assert (prediction.familiarity, prediction.familiar) == (0.0, False)
    [reason] = prediction.reasons
    assert reason.startswith("The picture is unlike the cells the model learnt from")
    assert prediction.cell_class is CellClass.PARABASAL


def test_r24_a_picture_that_fails_the_plain_checks_is_not_stood_by():
    prediction = said([0, 0, 0, 50, 0], picture=Image.new("RGB", (80, 80), "black"))

    assert prediction.reasons == ("The picture is blank.",)
    assert (prediction.familiarity, prediction.familiar) == (0.0, False)


def test_a_model_without_calibration_never_abstains():
    classifier = Classifier(Saying([0, 0, 0, 0, 0], UNKNOWN), "bare")

    [prediction] = classifier.classify([Image.new("RGB", (80, 80), "black")])

    assert (prediction.prediction_set, prediction.reasons) == ((), ())
    assert prediction.probabilities == pytest.approx([0.2] * 5)
