"""How a gallery is sorted and filtered, and that nothing of it tells what a reader may not see."""

import pytest

from cases.arrangement import FLAGS, SORTS, Layout, choices
from cases.models import CellImage, Finding, Prediction
from cases.queries import Cell


def cell(name, *, finding=None, displayed=False, **answer):
    prediction = None
    if answer:
        cell_class = answer.get("cell_class", "Parabasal")
        values = {"abnormality": 0.1, "confidence": 0.9, "familiarity": 0.5, "reasons": []}
        prediction = Prediction(**(values | answer | {"cell_class": cell_class}))
    return Cell(CellImage(name=name), prediction, finding, "", displayed, name)


UNREAD = cell("unread")
UNFAMILIAR = cell("unfamiliar", familiarity=0.0, confidence=0.5, reasons=["Unlike."])
UNCERTAIN = cell("uncertain", confidence=0.4, reasons=["Two."], abnormality=0.3)
ABNORMAL = cell("abnormal", abnormality=0.9, cell_class="Koilocytotic", familiarity=0.3)
PLAIN = cell("plain", displayed=True, abnormality=0.02)
CORRECTED = cell(
    "corrected",
    abnormality=0.2,
    confidence=0.95,
    familiarity=0.7,
    finding=Finding(cell_class="Metaplastic"),
)
EXCLUDED = cell("excluded", abnormality=0.05, finding=Finding(exclusion="No cell"))
ALL = [PLAIN, ABNORMAL, EXCLUDED, UNREAD, CORRECTED, UNCERTAIN, UNFAMILIAR]


def names(layout):
    return [cell.image.name for cell in layout.arrange(ALL)]


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("need", ["unread", "unfamiliar", "uncertain", "abnormal", "corrected", "excluded"]),
        ("abnormal", ["unread", "abnormal", "uncertain", "corrected"]),
        ("uncertain", ["unread", "uncertain", "unfamiliar"]),
        ("unfamiliar", ["unread", "unfamiliar", "abnormal"]),
        ("class", ["uncertain", "unfamiliar", "unread", "abnormal", "corrected", "plain"]),
        ("file", ["abnormal", "corrected", "excluded", "plain"]),
    ],
)
def test_each_sort_puts_first_what_it_says(sort, first):
    assert names(Layout(sort=sort))[: len(first)] == first


@pytest.mark.parametrize(
    ("flag", "left"),
    [
        ("look", {"unread", "unfamiliar", "uncertain"}),
        ("unfamiliar", {"unfamiliar"}),
        ("differs", {"corrected"}),
        ("undecided", {"plain", "abnormal", "unread", "uncertain", "unfamiliar"}),
        ("excluded", {"excluded"}),
        ("unseen", {"abnormal", "unread", "corrected", "uncertain", "unfamiliar"}),
    ],
)
def test_each_flag_leaves_what_it_says(flag, left):
    assert set(names(Layout(flag=flag))) == left


def test_the_readers_class_counts_before_the_models():
    assert names(Layout(cell_class="Metaplastic")) == ["corrected"]
    assert names(Layout(cell_class="Koilocytotic")) == ["abnormal"]


def test_r22_where_the_model_may_not_be_seen_no_sort_and_no_flag_can_ask_for_it():
    chosen = {"sort": "need", "flag": "look", "cell_class": "", "size": "small"}

    layout = Layout.of(chosen, with_model=False)

    assert layout == Layout(sort="upload", size="small")
    assert set(choices(SORTS, with_model=False)) == {"class", "upload"}
    assert set(choices(FLAGS, with_model=False)) == {"undecided", "excluded", "unseen"}
