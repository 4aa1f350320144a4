"""Rows to figures: JSON and nothing else, with every number of the rows in it."""

import json
import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from cases.models import Case
from dashboards import charts
from dashboards.statistics import (
    Agreement,
    ClassCount,
    InterpretationCount,
    ReportMonth,
    StateCount,
    Target,
    TurnaroundWeek,
)
from inference.labels import CellClass

ROUTINE, URGENT = Case.Priority.ROUTINE, Case.Priority.URGENT
HOUR = timedelta(hours=1)
CSS = Path(__file__).parents[2] / "static" / "css"
STATES = [StateCount("draft", "Draft", 3), StateCount("signed", "Signed", 0)]
CELLS = [ClassCount(c, 2 * n, n, 1) for n, c in enumerate(CellClass)]
WEEKS = [
    TurnaroundWeek(date(2026, 6, 1), ROUTINE, 2, 2, 30 * HOUR, 40 * HOUR),
    TurnaroundWeek(date(2026, 6, 15), ROUTINE, 1, 0, 110 * HOUR, 110 * HOUR),
    TurnaroundWeek(date(2026, 6, 15), URGENT, 1, 1, 7.5 * HOUR, 7.5 * HOUR),
]
TARGETS = [Target(ROUTINE, 100), Target(URGENT, 20)]
AGREEMENT = Agreement(
    ((3, 1, 0, 0, 0), (0, 0, 0, 0, 0), (0, 0, 2, 0, 0), (0, 0, 0, 1, 0), (0, 0, 0, 0, 1)), 4, 5
)
RESULTS = [InterpretationCount("NILM", "Negative", 3, 75.0), InterpretationCount("", "None", 1, 25)]
MONTHS = [
    ReportMonth(date(2025, 11, 1), 9, 2, 1, 0, 3),
    ReportMonth(date(2026, 1, 1), 4, 0, 0, 1, 0),
]
FIGURES = {
    "states": (charts.states(STATES), charts.states([])),
    "cells": (charts.cells(CELLS), charts.cells([])),
    "turnaround": (charts.turnaround(WEEKS, TARGETS), charts.turnaround([], TARGETS)),
    "agreement": (charts.agreement(AGREEMENT), charts.agreement(Agreement(((0,) * 5,) * 5, 0, 0))),
    "changes": (charts.report_changes(MONTHS), charts.report_changes([])),
    "interpretations": (charts.interpretations(RESULTS), charts.interpretations([])),
}


@pytest.mark.parametrize("figure", [f for pair in FIGURES.values() for f in pair])
def test_a_figure_is_json_as_it_stands(figure):
    assert json.loads(json.dumps(figure)) == figure
    assert set(figure) == {"data", "layout"}


@pytest.mark.parametrize("figure", [full for full, _ in FIGURES.values()])
def test_every_colour_is_a_token_of_the_design(figure):
    tokens = set(re.findall(r"var\((--[\w-]+)\)", json.dumps(figure)))
    sheets = "".join((CSS / name).read_text() for name in ("base.css", "dashboards.css"))

    assert tokens
    assert {token for token in tokens if f"{token}:" not in sheets} == set()
    assert not re.search(r"#[0-9a-f]{3,6}\b|rgb", json.dumps(figure))


def test_states_are_bars_in_the_order_of_a_case_s_life():
    [bar] = charts.states(STATES)["data"]

    assert (bar["y"], bar["x"], bar["text"]) == (["Draft", "Signed"], [3, 0], [3, 0])


def test_cells_show_model_and_reader_in_the_same_colour_for_a_class():
    model, reader = charts.cells(CELLS, 7)["data"]

    assert model["y"][:5] == reader["y"] == [c.value for c in CellClass]
    assert (model["x"][:5], reader["x"]) == ([0, 2, 4, 6, 8], [1, 2, 3, 4, 5])
    assert model["text"][1] == "Model 2"
    assert model["marker"]["line"]["color"][:5] == reader["marker"]["color"][:5]
    assert len(set(reader["marker"]["color"][:5])) == 5


def test_abstentions_are_a_bar_of_the_model_s_that_is_no_class():
    figure = charts.cells(CELLS, 7)

    model, reader = figure["data"]
    assert (model["y"][5], model["x"][5], model["text"][5]) == (charts.NEEDS_A_LOOK, 7, "Model 7")
    assert charts.NEEDS_A_LOOK not in reader["y"]
    assert figure["layout"]["yaxis"]["tickvals"][5] == charts.NEEDS_A_LOOK


def test_turnaround_has_two_lines_a_priority_and_leaves_a_gap_for_a_week_without_cases():
    lines = charts.turnaround(WEEKS, TARGETS)["data"]

    assert [line["name"] for line in lines] == [
        "Routine, median",
        "Routine, 90th percentile",
        "Urgent, median",
        "Urgent, 90th percentile",
    ]
    assert {tuple(line["x"]) for line in lines} == {("2026-06-01", "2026-06-08", "2026-06-15")}
    assert [line["y"] for line in lines] == [
        [30.0, None, 110.0],
        [40.0, None, 110.0],
        [None, None, 7.5],
        [None, None, 7.5],
    ]


def test_each_target_is_a_line_with_its_words_and_none_lies_above_the_axis():
    layout = charts.turnaround(WEEKS, [Target(ROUTINE, 500), Target(URGENT, 20)])["layout"]

    assert [(shape["y0"], shape["y1"], shape["name"]) for shape in layout["shapes"]] == [
        (500, 500, "Routine, target: 500 h"),
        (20, 20, "Urgent, target: 20 h"),
    ]
    assert layout["yaxis"]["range"][1] > 500


@pytest.mark.parametrize(("weeks", "named"), [(1, 1), (12, 12), (13, 7), (52, 11)])
def test_the_axis_names_a_dozen_weeks_at_most(weeks, named):
    rows = [
        TurnaroundWeek(date(2026, 1, 5) + timedelta(weeks=n), ROUTINE, 1, 1, HOUR, HOUR)
        for n in range(weeks)
    ]

    axis = charts.turnaround(rows, TARGETS)["layout"]["xaxis"]

    assert len(axis["tickvals"]) == named
    assert (axis["tickvals"][0], axis["ticktext"][0]) == ("2026-01-05", "5 Jan")


def test_weeks_of_two_years_are_named_with_their_year():
    rows = [
        TurnaroundWeek(monday, ROUTINE, 1, 1, HOUR, HOUR)
        for monday in (date(2025, 12, 29), date(2026, 1, 5))
    ]

    axis = charts.turnaround(rows, TARGETS)["layout"]["xaxis"]

    assert axis["ticktext"] == ["29 Dec 2025", "5 Jan 2026"]


def test_small_counts_have_a_tick_each():
    few = charts.states([StateCount("draft", "Draft", 5)])["layout"]["xaxis"]
    many = charts.states([StateCount("draft", "Draft", 6)])["layout"]["xaxis"]

    assert (few.get("dtick"), many.get("dtick")) == (1, None)


def test_the_matrix_shows_counts_and_shades_by_the_reader_s_row():
    [matrix] = charts.agreement(AGREEMENT)["data"]

    assert matrix["text"] == [list(row) for row in AGREEMENT.counts]
    assert matrix["z"][0] == [0.75, 0.25, 0, 0, 0]
    assert matrix["z"][1] == [0, 0, 0, 0, 0]


def test_interpretations_are_named_by_code():
    [bar] = charts.interpretations(RESULTS)["data"]

    assert (bar["y"], bar["x"]) == (["NILM", "None"], [3, 1])


def test_report_changes_are_a_pile_a_month_told_apart_by_more_than_colour():
    bars = charts.report_changes(MONTHS)["data"]

    assert [(bar["name"], bar["y"]) for bar in bars] == [
        ("Addenda", [2, 0, 0]),
        ("Amendments", [1, 0, 0]),
        ("Corrections", [0, 0, 1]),
    ]
    assert bars[0]["x"] == ["Nov 2025", "Dec 2025", "Jan 2026"]
    assert [bar["text"] for bar in bars] == [
        ["Addenda", "", ""],
        ["Amendments", "", ""],
        ["", "", "Corrections"],
    ]
