"""What is measured of answers out of fold, and the goals: on made-up answers, and by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference import assess_answers, goals
from inference.assess import Assessed
from inference.assess_answers import assess_answers as measure
from inference.calibration import calibration_error, softmax
from inference.classifier import Prediction
from inference.familiarity import Familiarity
from inference.management.commands.evaluate_answers import markdown_of
from tests.inference.made_up import made_up


@pytest.fixture(scope="module")
def answered():
    return made_up(temperature=1.6)


@pytest.fixture(scope="module")
def found(answered):
    return measure(answered, answered.groups, level=0.9)


def test_every_figure_is_json_and_lies_in_its_interval(answered, found):
    json.dumps(found)

    right = answered.logits.argmax(axis=1) == answered.truth
    assert found["figures"]["accuracy"] == pytest.approx(right.mean())
    for value, (low, high) in (
        (found["figures"]["accuracy"], found["intervals"]["accuracy"]),
        (found["selective"]["accuracy"], found["selective"]["interval"]),
        (found["sets"]["coverage"], found["sets"]["coverage_interval"]),
        (found["sets"]["mean_size"], found["sets"]["size_interval"]),
    ):
        assert low < value < high
    assert (found["cells"], found["groups"], found["folds"]) == (len(right), 300, 5)


def test_the_temperature_of_the_world_is_found_and_mends_the_error(found):
    assert found["calibration"]["temperatures"] == pytest.approx([1.6] * 5, rel=0.1)
    assert found["calibration"]["error_after"] < 0.4 * found["calibration"]["error_before"]
    assert found["sets"]["coverage"] == pytest.approx(0.9, abs=0.03)


def test_intervals_drawn_by_larger_units_are_wider():
    answered = made_up(groups=400)
    unlucky = np.array([int(group[1:]) // 20 % 4 == 0 for group in answered.groups])
    wrong = replace(answered, truth=np.where(unlucky, (answered.truth + 1) % 5, answered.truth))
    runs = [f"r{int(group[1:]) // 20}" for group in answered.groups]

    by_group = measure(wrong, wrong.groups, level=0.9)["sets"]["coverage_interval"]
    by_run = measure(wrong, runs, level=0.9)["sets"]["coverage_interval"]

    assert by_run[1] - by_run[0] > 1.5 * (by_group[1] - by_group[0])


def test_the_interval_of_a_mean_is_that_of_drawn_groups():
    values, groups = np.array([1.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 2])
    drawn = np.array([[1.0, 1.0, 1.0], [3.0, 0.0, 0.0], [0.0, 1.0, 2.0]])

    low, high = assess_answers.interval_of_mean(values, groups, drawn)

    assert (low, high) == pytest.approx(tuple(np.percentile([0.75, 0.5, 1.0], [2.5, 97.5])))


def test_the_selective_interval_chooses_the_most_certain_anew_in_each_draw():
    rows = [(0.9, 0.1, 0, 0, 0)] * 4 + [(0.5, 0.4, 0.1, 0, 0)]
    assessed = Assessed.from_predictions(
        np.array([0, 0, 0, 0, 1]), list("abcde"), [Prediction(row) for row in rows]
    )

    # four certain and right cells: without the fifth, wrong one, all are right; drawn five times
    # it is all there is
    assert assess_answers.selective_interval(assessed, np.ones((3, 5))) == [1.0, 1.0]
    assert assess_answers.selective_interval(assessed, np.array([[0, 0, 0, 0, 5.0]])) == [0, 0]
    half = assess_answers.selective_interval(assessed, np.array([[2.0, 0, 0, 0, 3.0]]))
    assert half == pytest.approx([0.5, 0.5])


def test_the_error_of_the_cells_as_they_are_is_the_calibration_error(answered):
    rows = softmax(answered.logits)
    predictions = [Prediction(tuple(row)) for row in rows.tolist()]
    assessed = Assessed.from_predictions(answered.truth, answered.groups, predictions)

    low, high = assess_answers.error_interval(assessed, np.ones((1, 300)))

    assert low == high == pytest.approx(calibration_error(rows, answered.truth))


def test_what_is_familiar_is_counted_by_fold_with_an_interval():
    chance = np.random.default_rng(5)
    distances = chance.gamma(4, 1, 2000).astype(np.float32)
    folds = tuple((np.arange(2000) % 5).tolist())

    found = assess_answers.familiar(distances, folds, [f"g{i // 4}" for i in range(2000)])

    low, high = found["kept_interval"]
    assert low < found["kept"] < high
    assert found["kept"] == pytest.approx(0.95, abs=0.01)
    assert np.mean(found["kept_by_fold"]) == pytest.approx(found["kept"])
    assert found["median_distance"] == pytest.approx(np.median(distances), abs=1e-5)


def features(seed, count, *, flat=True):
    chance = np.random.default_rng([seed, flat])
    axes = np.random.default_rng(0).normal(0, 1, (4, 40))
    near = chance.normal(0, 1, (count, 4)) @ axes + 5
    anywhere = chance.normal(0, 3, (count, 40)) + 5
    return ((near if flat else anywhere) + chance.normal(0, 0.3, (count, 40))).astype(np.float32)


class Known:
    """A classifier that has seen its pictures: they are features."""

    model_version = "known"

    def __init__(self, familiarity):
        self.familiarity = familiarity

    def classify(self, rows):
        shares = self.familiarity.shares(np.stack(rows))
        return [
            Prediction((1.0, 0, 0, 0, 0), familiarity=share, reasons=("No.",), features=row)
            for share, row in zip(shares, rows, strict=True)
        ]


def test_other_pictures_are_told_from_cells_by_a_model_that_learnt_from_all():
    known = Familiarity.fit(features(1, 300), features(2, 300), directions=4)

    found = assess_answers.others(
        Known(known),
        {"cells": [*features(3, 300)], "else": [*features(4, 50, flat=False)]},
    )

    assert found["cells"]["auroc"] == pytest.approx(0.5, abs=0.06)
    assert found["cells"]["unfamiliar"] == pytest.approx(0.05, abs=0.03)
    assert (found["else"]["auroc"], found["else"]["unfamiliar"]) == (1.0, 1.0)
    assert found["else"]["pictures"] == 50


def test_a_goal_is_reached_missed_or_not_measured(found):
    measured = {
        "group": found | {"figures": found["figures"] | {"accuracy": 0.97}},
        "others": {"blank": {"auroc": 0.5}},
    }

    lines = {name: (asked, value, verdict) for name, asked, value, verdict in goals.rows(measured)}

    assert lines["accuracy, by group"][0] == "96.5%"
    assert lines["accuracy, by group"][2] == "reached"
    assert lines["macro-F1, by group"][2] == "missed"
    assert lines["sets at 99 %, mean size"][0] == "at most 1.150"
    assert lines["sets at 99 %, mean size"][2] == "missed"
    assert lines["familiarity, AUROC, blank"] == ("0.990", "0.500", "missed")
    assert lines["accuracy, by run"] == ("94.5%", "-", "not measured")


def test_every_goal_has_its_place_in_what_is_measured(found):
    others = {name: {"auroc": 1.0} for name in (*goals.ABSURD, "herlev")}
    measured = {"group": found, "run": found, "cell": found, "others": others}

    assert all(verdict != "not measured" for *_, verdict in goals.rows(measured))
    assert all("(" in value for name, _, value, _ in goals.rows(measured) if "accuracy" in name)


def test_the_page_of_the_documentation_says_what_was_measured():
    docs = Path(__file__).parents[2] / "docs"
    measured = json.loads((docs / "cross-validation.json").read_text())

    assert (docs / "cross-validation.md").read_text() == markdown_of(measured)
