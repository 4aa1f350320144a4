"""Temperature, calibration error and prediction sets, on made-up logits whose truth is known."""

import numpy as np
import pytest

from inference import calibration
from inference.calibration import Calibration, CannotCalibrate, softmax
from inference.labels import CellClass


def world(chance, cells, *, temperature=1.0, sharpness=2.0):
    """Logits, and classes drawn with the probabilities that the logits over a temperature mean."""
    logits = chance.normal(0, sharpness, (cells, 5))
    probabilities = softmax(logits, temperature)
    truth = (probabilities.cumsum(axis=1) < chance.random((cells, 1))).sum(axis=1)
    return logits, np.minimum(truth, 4)


def alone(cells):
    return [str(i) for i in range(cells)]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_a_world_was_made_with_is_found(temperature):
    logits, truth = world(np.random.default_rng(1), 20_000, temperature=temperature)

    assert calibration.fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.04)


def test_no_other_temperature_makes_the_truth_likelier():
    logits, truth = world(np.random.default_rng(2), 500, temperature=1.7)

    best = calibration.fit_temperature(logits, truth)

    loss = calibration.negative_log_likelihood(logits, truth, best)
    for other in (best * 0.98, best * 1.02, 1.0):
        assert loss < calibration.negative_log_likelihood(logits, truth, other)


def test_a_temperature_changes_no_class_and_sums_stay_one():
    logits, _ = world(np.random.default_rng(3), 100)

    warmed = softmax(logits, 3.0)

    assert (warmed.argmax(axis=1) == logits.argmax(axis=1)).all()
    assert warmed.sum(axis=1) == pytest.approx(np.ones(100))


def test_the_calibration_error_is_how_far_confidence_misses():
    confident = np.tile([0.9, 0.1, 0, 0, 0], (10, 1))

    right = calibration.calibration_error(confident, np.array([0] * 9 + [1]))
    wrong = calibration.calibration_error(confident, np.array([0] * 6 + [1] * 4))

    assert right == pytest.approx(0)
    assert wrong == pytest.approx(0.3)


def test_errors_of_different_confidence_do_not_cancel():
    probabilities = np.array([[0.9, 0.1, 0, 0, 0]] * 2 + [[0.5, 0.3, 0.2, 0, 0]] * 2)

    error = calibration.calibration_error(probabilities, np.array([0, 1, 0, 0]))

    assert error == pytest.approx((2 * 0.4 + 2 * 0.5) / 4)


def test_the_bins_hold_every_cell_once_also_at_the_borders():
    probabilities = np.array([[1.0, 0, 0, 0, 0], [0.2, 0.2, 0.2, 0.2, 0.2]])

    bins = calibration.reliability(probabilities, np.array([0, 0]))

    assert [(one.cells, one.confidence) for one in bins] == [(1, pytest.approx(0.2)), (1, 1.0)]


def test_with_a_cell_a_group_the_quantile_is_that_of_split_conformal_prediction():
    scores = np.random.default_rng(4).random(199)

    threshold = calibration.group_quantile(scores, alone(199), 0.95)

    assert threshold == np.sort(scores)[int(np.ceil(200 * 0.95)) - 1]


def test_sets_cover_as_often_as_they_promise_and_not_much_oftener():
    chance = np.random.default_rng(5)
    covered = []
    for _ in range(300):
        logits, truth = world(chance, 300)
        fitted = calibration.fit(logits[:200], truth[:200], alone(200), source="", level=0.9)
        probabilities = fitted.probabilities(logits[200:])
        true = probabilities[np.arange(100), truth[200:]]
        covered.append((1 - true <= fitted.threshold).mean())

    error = np.std(covered) / np.sqrt(len(covered))
    assert 0.9 - 3 * error < np.mean(covered) < 0.9 + 1 / 201 + 3 * error


def grouped(chance, groups):
    """Scores whose groups are alike inside: many small hard ones, a few large easy ones."""
    hard = chance.random(groups) < 0.5
    sizes = np.where(hard, 1, 20)
    names = np.repeat(np.arange(groups), sizes)
    centres = np.where(hard, 0.6, 0.1) + chance.uniform(-0.1, 0.1, groups)
    return centres[names] + chance.uniform(-0.05, 0.05, len(names)), names


def test_a_cell_of_a_new_group_is_covered_where_counting_cells_would_fail():
    chance = np.random.default_rng(6)
    by_group, by_cell = [], []
    for _ in range(200):
        scores, groups = grouped(chance, 80)
        new, names = grouped(chance, 40)
        counts = np.bincount(names)
        for threshold, shares in (
            (calibration.group_quantile(scores, groups.astype(str).tolist(), 0.9), by_group),
            (np.quantile(scores, 0.9), by_cell),
        ):
            shares.append((np.bincount(names, new <= threshold) / counts).mean())

    assert np.mean(by_group) > 0.89
    assert np.mean(by_cell) < 0.7


def test_too_few_groups_for_a_level_are_refused_with_the_number_needed():
    scores = np.linspace(0, 1, 500)

    with pytest.raises(CannotCalibrate, match="99% need 99 groups of held-out cells; there are 98"):
        calibration.group_quantile(scores, [str(i % 98) for i in range(500)], 0.99)

    assert calibration.group_quantile(scores, [str(i % 99) for i in range(500)], 0.99) == 1


def test_a_set_is_ranked_and_never_larger_than_its_threshold_allows():
    fitted = Calibration(1.0, 0.9, {"0.9": 0.8}, "", 1, 1)

    found = fitted.prediction_set((0.25, 0.5, 0.05, 0.2, 0.0))

    assert found == (
        CellClass.KOILOCYTOTIC,
        CellClass.DYSKERATOTIC,
        CellClass.PARABASAL,
    )


def test_lower_levels_are_kept_beside_the_one_that_is_used():
    logits, truth = world(np.random.default_rng(7), 400)

    fitted = calibration.fit(logits, truth, alone(400), source="here", level=0.99)

    assert list(fitted.thresholds) == ["0.99", "0.95", "0.9"]
    assert fitted.threshold == fitted.thresholds["0.99"] > fitted.thresholds["0.9"]
    assert (fitted.cells, fitted.groups, fitted.source) == (400, 400, "here")


def test_the_sets_are_of_the_probabilities_that_are_shown():
    logits, truth = world(np.random.default_rng(9), 400, temperature=2.0)

    fitted = calibration.fit(logits, truth, alone(400), source="", level=0.9)

    assert fitted.temperature == calibration.fit_temperature(logits, truth)
    scores = 1 - softmax(logits, fitted.temperature)[np.arange(400), truth]
    assert fitted.threshold == calibration.group_quantile(scores, alone(400), 0.9)


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"level": 0.5},
        {"thresholds": {"0.9": 2}},
    ],
)
def test_numbers_that_would_answer_nonsense_are_refused(change):
    sound = {"temperature": 1.0, "level": 0.9, "thresholds": {"0.9": 0.8}}

    Calibration(**sound, source="", cells=1, groups=1)
    with pytest.raises(ValueError, match=r"temperature|threshold"):
        Calibration(**(sound | change), source="", cells=1, groups=1)


def test_the_sets_are_those_of_mapie():
    classification = pytest.importorskip("mapie.classification")
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Known(ClassifierMixin, BaseEstimator):
        """A classifier whose inputs are its probabilities."""

        classes_ = np.arange(5)

        def fit(self, *_):
            return self

        def predict_proba(self, inputs):
            return inputs

        def predict(self, inputs):
            return inputs.argmax(axis=1)

        def __sklearn_is_fitted__(self):
            return True

    logits, truth = world(np.random.default_rng(8), 700)
    fitted = calibration.fit(logits[:400], truth[:400], alone(400), source="", level=0.95)
    probabilities = fitted.probabilities(logits)

    theirs = classification.SplitConformalClassifier(
        Known(), confidence_level=0.95, conformity_score="lac", prefit=True
    )
    theirs.conformalize(probabilities[:400], truth[:400])
    _, sets = theirs.predict_set(probabilities[400:])

    ours = [fitted.prediction_set(row) for row in probabilities[400:].tolist()]
    members = np.array([[one in found for one in CellClass] for found in ours])
    # MAPIE keeps the likeliest class of a set that would be empty; so does the classifier
    members |= ~members.any(axis=1, keepdims=True) & (
        probabilities[400:] == probabilities[400:].max(axis=1, keepdims=True)
    )
    assert (members == sets[:, :, 0]).all()
