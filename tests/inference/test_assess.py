"""What is measured of a model: against scikit-learn, by hand, and by group."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from inference import assess
from inference.assess import Assessed
from inference.calibration import Calibration, softmax
from inference.classifier import Classifier, Prediction
from inference.labels import LABELS, CellClass


def assessed(seed=1, cells=300, groups=60):
    """Cells of an imperfect classifier; the cells of a group share their luck."""
    chance = np.random.default_rng(seed)
    truth = chance.integers(0, 5, cells)
    names = chance.integers(0, groups, cells)
    lucky = chance.random(groups) < 0.8
    logits = chance.normal(0, 1, (cells, 5)) + 3 * np.eye(5)[truth] * lucky[names][:, None]
    predictions = [
        Prediction(
            tuple(row),
            prediction_set=tuple(one for one, p in zip(CellClass, row, strict=True) if p > 0.2),
            reasons=("It may be this or that: no.",) if max(row) < 0.6 else (),
        )
        for row in softmax(logits).tolist()
    ]
    return Assessed.from_predictions(truth, [f"g{name}" for name in names], predictions)


@pytest.fixture(scope="module")
def cells():
    return assessed()


def classifier(temperature=1.0):
    return Classifier(None, "some", Calibration(temperature, 0.99, {"0.99": 0.8}, "", 1, 1))


def test_the_area_is_scikit_learns_with_ties_and_weights():
    chance = np.random.default_rng(1)
    scores, positive = chance.integers(0, 9, 200) / 9, chance.random(200) < 0.4
    weights = chance.integers(0, 4, 200).astype(float)

    assert assess.auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))
    assert assess.auroc(scores, positive, weights) == pytest.approx(
        roc_auc_score(positive, scores, sample_weight=weights)
    )


def test_the_sensitivity_at_a_specificity_is_a_point_of_scikit_learns_curve():
    chance = np.random.default_rng(2)
    positive = chance.random(400) < 0.5
    scores = chance.normal(positive, 1)

    found = assess.sensitivity_at(scores, positive)

    false, true, _ = roc_curve(positive, scores, drop_intermediate=False)
    assert found == pytest.approx(true[false <= 0.05 + 1e-12].max())


def test_an_interval_holds_its_figure_and_is_the_same_for_a_seed(cells):
    found = assess.intervals(cells, seed=3)

    low, high = found["accuracy"]
    assert low < cells.right.mean() < high
    for one in found["per_class"].values():
        for figure in one.values():
            assert figure["interval"][0] <= figure["value"] <= figure["interval"][1]
    assert assess.intervals(cells, seed=3) == found
    assert assess.intervals(cells, seed=4) != found


def test_cells_that_share_their_luck_make_intervals_wider_than_cells_alone_would(cells):
    alone = Assessed.from_predictions(
        cells.truth, [str(i) for i in range(len(cells.truth))], cells.predictions
    )

    low, high = assess.intervals(cells, seed=1)["accuracy"]
    narrow_low, narrow_high = assess.intervals(alone, seed=1)["accuracy"]

    assert high - low > 1.2 * (narrow_high - narrow_low)


def test_sensitivity_and_specificity_of_a_class_are_those_of_its_row_and_column(cells):
    found = assess.intervals(cells, seed=1)["per_class"]

    for place, label in enumerate(LABELS):
        is_one, called = cells.truth == place, cells.called == place
        assert found[label]["sensitivity"]["value"] == pytest.approx(called[is_one].mean())
        assert found[label]["specificity"]["value"] == pytest.approx((~called[~is_one]).mean())


def test_the_error_before_is_that_of_probabilities_without_their_temperature():
    logits = np.random.default_rng(5).normal(0, 2, (200, 5))
    warm = [Prediction(tuple(row)) for row in softmax(logits, 2.0).tolist()]
    truth = logits.argmax(axis=1)

    found = assess.calibrated(
        classifier(temperature=2.0), Assessed.from_predictions(truth, ["g"] * 200, warm)
    )

    assert found["error_before"] == pytest.approx(1 - softmax(logits).max(axis=1).mean())
    assert found["error_after"] == pytest.approx(1 - softmax(logits, 2.0).max(axis=1).mean())


def test_the_most_certain_are_righter_than_all(cells):
    found = assess.selective(cells)

    order = np.argsort(-cells.probabilities.max(axis=1), kind="stable")
    assert found["accuracy"] == pytest.approx(cells.right[order[:240]].mean())
    assert found["curve"][-1] == [1.0, pytest.approx(cells.right.mean())]
    assert found["accuracy"] > cells.right.mean()


def test_coverage_by_group_counts_a_large_group_once():
    sure = Prediction((0.9, 0.1, 0, 0, 0), prediction_set=(CellClass.DYSKERATOTIC,))
    truth, groups = np.array([0, 0, 0, 1]), ["a", "a", "a", "b"]

    found = assess.sets(classifier(), Assessed.from_predictions(truth, groups, [sure] * 4))

    assert (found["coverage"], found["coverage_by_group"]) == (0.75, 0.5)
    assert (found["mean_size"], found["sizes"]) == (1.0, {"1": 4})


def test_abstentions_are_counted_with_what_they_spare(cells):
    found = assess.abstention(cells)

    abstained = np.array([one.abstained for one in cells.predictions])
    assert found["share"] == pytest.approx(abstained.mean())
    assert found["accuracy_of_the_others"] == pytest.approx(cells.right[~abstained].mean())
    assert found["reasons"] == {"More than one class is possible": abstained.sum()}
    assert found["wrong_and_stood_by"] < found["wrong"] == (~cells.right).sum()
