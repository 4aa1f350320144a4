"""Calibration that never saw the cell it judges, on made-up answers whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from inference import calibration, crossfit
from inference.calibration import CannotCalibrate, softmax
from inference.crossfit import cross_fitted, folds_of, kept_as_familiar
from inference.labels import CellClass
from tests.inference.made_up import made_up


def held(answered, crossed):
    classes = list(CellClass)
    return np.array(
        [
            classes[place] in one.prediction_set
            for place, one in zip(answered.truth, crossed.predictions, strict=True)
        ]
    )


def test_each_fold_is_judged_by_what_the_others_fit():
    answered = made_up(temperature=1.8)

    crossed = cross_fitted(answered, level=0.9)

    folds, groups = np.array(answered.folds), np.array(answered.groups)
    for fold, fitted in enumerate(crossed.fitted):
        others = folds != fold
        known = calibration.fit(
            answered.logits[others],
            answered.truth[others],
            groups[others].tolist(),
            source="",
            level=0.9,
        )
        assert fitted.temperature == known.temperature
        assert fitted.thresholds == known.thresholds
        place = int(np.flatnonzero(folds == fold)[0])
        expected = softmax(answered.logits[[place]], known.temperature)[0]
        assert crossed.predictions[place].probabilities == pytest.approx(expected)
    assert crossed.before == pytest.approx(softmax(answered.logits))


def test_a_fold_that_is_unlike_the_others_is_not_flattered():
    answered = made_up(groups=600)
    odd = np.array(answered.folds) == 0
    wrong = replace(answered, truth=np.where(odd, (answered.truth + 1) % 5, answered.truth))

    crossed = cross_fitted(wrong, level=0.9)

    covered = held(wrong, crossed)
    assert covered[odd].mean() < 0.5
    every = calibration.fit(wrong.logits, wrong.truth, wrong.groups, source="", level=0.9)
    assert crossed.fitted[0].threshold < every.threshold


def test_sets_cover_what_they_promise_out_of_fold():
    shares = []
    for seed in range(20):
        answered = made_up(seed, groups=200)
        shares.append(held(answered, cross_fitted(answered, level=0.9)).mean())

    assert np.mean(shares) == pytest.approx(0.9, abs=0.012)


def test_a_group_of_the_judged_fold_is_never_fitted_on():
    answered = made_up(groups=100)
    folds = list(answered.folds)
    place = answered.groups.index("g1")
    folds[place] = 0  # a group that reaches into another fold
    torn = replace(answered, folds=tuple(folds))
    seen = []
    fit = calibration.fit

    def noting(logits, truth, groups, **rest):
        seen.append(set(groups))
        return fit(logits, truth, groups, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crossfit.calibration, "fit", noting)
        cross_fitted(torn, level=0.9)

    assert "g1" not in seen[0]
    assert "g1" not in seen[1]


def test_answers_of_one_network_are_dealt_to_folds_by_group():
    answered = replace(made_up(groups=50), folds=())

    folds = folds_of(answered)

    groups = np.array(answered.groups)
    assert set(folds.tolist()) == {0, 1, 2, 3, 4}
    assert all(len(set(folds[groups == one])) == 1 for one in set(groups))
    assert (folds_of(answered) == folds).all()


def test_an_empty_set_is_shown_with_the_likeliest_class_and_counted():
    answered = made_up(groups=400, sharpness=6.0)

    crossed = cross_fitted(answered, level=0.5)

    assert crossed.empty > 0
    assert all(one.cell_class in one.prediction_set for one in crossed.predictions)
    assert sum(one.abstained for one in crossed.predictions) >= crossed.empty


def test_too_few_groups_are_refused():
    with pytest.raises(CannotCalibrate, match="need 99 groups"):
        cross_fitted(made_up(groups=100))


def test_of_known_cells_nineteen_in_twenty_are_kept_by_other_folds():
    chance = np.random.default_rng(3)
    distances = chance.gamma(4, 1, 5000).astype(np.float32)
    folds = tuple((np.arange(5000) % 5).tolist())

    kept = kept_as_familiar(distances, folds)

    assert kept.mean() == pytest.approx(0.95, abs=0.008)
    assert distances[kept].max() < distances[~kept].max()


def test_a_fold_that_lies_far_out_is_kept_less():
    chance = np.random.default_rng(4)
    distances = chance.gamma(4, 1, 1000).astype(np.float32)
    folds = np.arange(1000) % 5
    distances[folds == 2] += 3

    kept = kept_as_familiar(distances, tuple(folds.tolist()))

    assert kept[folds == 2].mean() < 0.75 < kept[folds != 2].mean()
