"""The trail and the due time in plain words."""

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from accounts.models import User
from cases import clock, wording, workflow
from cases.models import AuditEvent, Case

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
NAMES = {"i1": "cell-1.png", "i2": "cell-2.png"}


@pytest.mark.parametrize(
    ("due_in", "words"),
    [
        (timedelta(days=5), "Due in 5 days"),
        (timedelta(days=4, hours=23, minutes=59), "Due in 5 days"),
        (timedelta(hours=47), "Due in 47 hours"),
        (timedelta(hours=1), "Due in 1 hour"),
        (timedelta(minutes=59, seconds=50), "Due in 1 hour"),
        (timedelta(minutes=20), "Due in 20 minutes"),
        (timedelta(seconds=5), "Due in less than a minute"),
        (-timedelta(minutes=1), "Overdue by 1 minute"),
        (-timedelta(days=3), "Overdue by 3 days"),
    ],
)
def test_a_case_says_in_one_unit_when_it_is_due(due_in, words):
    with clock.at(NOW):
        assert wording.due(Case(due_at=NOW + due_in)) == words


def test_a_signed_case_says_when_it_was_signed_and_not_that_it_is_overdue():
    case = Case(due_at=NOW - timedelta(days=9), signed_at=NOW)

    with clock.at(NOW):
        assert wording.due(case) == "Signed 4 Mar 2026"


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, ""), (2, "Second attempt"), (3, "Third attempt"), (4, "Attempt 4")],
)
def test_an_attempt_is_named_when_it_is_not_the_first(number, words):
    assert wording.attempt(number) == words


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Case.Status.DRAFT, "Tina"),
        (Case.Status.QUEUED, "the workers"),
        (Case.Status.CLASSIFYING, "the workers"),
        (Case.Status.FAILED, "Tina"),
        (Case.Status.AWAITING_REVIEW, "any pathologist"),
        (Case.Status.REVIEWING, "Paul"),
        (Case.Status.SIGNED, "Paul"),
    ],
)
def test_the_worklist_says_in_whose_hands_a_case_is(status, words):
    reviewer = User(name="Paul") if status in ("reviewing", "signed") else None
    case = Case(status=status, accessioned_by=User(name="Tina"), reviewer=reviewer)

    assert wording.held(case) == words


@pytest.mark.parametrize(
    ("action", "detail", "sentence"),
    [
        ("accession", {"accession_number": "C26-00001"}, "Accessioned the case as C26-00001."),
        (
            "revise",
            {"changes": {"specimen_type": ["LBC", "CONV"], "collected_on": [None, "2026-03-01"]}},
            (
                "Revised the case: specimen from liquid-based preparation to conventional smear; "
                "collection date from none to 2026-03-01."
            ),
        ),
        (
            "revise",
            {"changes": {"clinical_note": ["", "1f0a"]}},
            "Revised the case: the clinical note was changed.",
        ),
        ("revise", {"changes": {}}, "Saved the accession without a change."),
        ("add_image", {"image": "i1"}, "Added cell-1.png."),
        ("add_image", {"image": "gone"}, "Added an image that was removed later."),
        ("remove_image", {"digest": "0123456789abcdef"}, "Removed the image 0123456789ab."),
        ("submit", {"images": 1}, "Submitted the case with 1 cell image."),
        ("submit", {"images": 1200}, "Submitted the case with 1,200 cell images."),
        ("begin", {"attempt": 1}, "Began to classify."),
        ("begin", {"attempt": 2}, "Began to classify, second attempt."),
        (
            "record",
            {"failures": 0},
            "Finished classifying. The case waits for its reader.",
        ),
        (
            "record",
            {"failures": 2},
            "Finished classifying; 2 images could not be read. The case waits for its reader.",
        ),
        ("fail", {"reason": "The model is missing."}, "Gave up classifying: The model is missing."),
        (
            "requeue",
            {"attempt": 1},
            "Took the case back from a worker that vanished (first attempt).",
        ),
        ("retry", {}, "Sent the case to the workers again; earlier answers are kept."),
        ("claim", {}, "Claimed the case for review."),
        ("release", {}, "Released the case; the findings are kept."),
        (
            "release",
            {"held_by": 4},
            "Released the case of a colleague who reads cases no more; the findings are kept.",
        ),
        ("decide", {"decisions": [["i1", "Parabasal"]]}, "Called cell-1.png Parabasal."),
        ("decide", {"decisions": [["i1", "excluded: blurred"]]}, "Excluded cell-1.png: blurred."),
        ("decide", {"decisions": [["i1", ""]]}, "Withdrew the finding for cell-1.png."),
        (
            "decide",
            {"decisions": [["i1", "Parabasal"], ["i2", "Parabasal"], ["i3", "excluded: torn"]]},
            "Made 3 decisions on cells: 2 Parabasal, 1 excluded.",
        ),
        (
            "sign",
            {"read": {"interpretations": ["NILM"]}, "digest": "0123456789abcdef"},
            (
                "Signed the case: Negative for intraepithelial lesion or malignancy. "
                "Report digest 0123456789ab."
            ),
        ),
        ("something_new", {}, "Something new."),
    ],
)
def test_each_event_is_a_sentence(action, detail, sentence):
    assert wording.event(AuditEvent(action=action, detail=detail), NAMES) == sentence


def happened(action, minute, actor=None, **detail):
    at = NOW + timedelta(minutes=minute)
    return AuditEvent(action=action, actor=actor, at=at, detail=detail)


def test_uploads_in_a_row_are_one_entry_with_its_parts_and_the_order_stays():
    tina = User(pk=1, name="Tina")
    events = [
        happened("accession", 0, tina, accession_number="C26-00001"),
        happened("add_image", 1, tina, image="i1"),
        happened("add_image", 3, tina, image="i2"),
        happened("submit", 4, tina, images=2),
        happened("begin", 5, attempt=1),
    ]

    entries = wording.trail(events, NAMES)

    assert [(entry.actor, entry.sentence) for entry in entries] == [
        ("Tina", "Accessioned the case as C26-00001."),
        ("Tina", "Added 2 cell images."),
        ("Tina", "Submitted the case with 2 cell images."),
        ("The system", "Began to classify."),
    ]
    assert [(part.minute, words) for part, words in entries[1].parts] == [
        (1, "Added cell-1.png."),
        (3, "Added cell-2.png."),
    ]
    assert (entries[1].at.minute, entries[1].until.minute) == (1, 3)


def test_what_two_people_did_in_a_row_is_two_entries():
    events = [
        happened("add_image", 1, User(pk=1, name="Tina"), image="i1"),
        happened("add_image", 2, User(pk=2, name="Ben"), image="i2"),
    ]

    entries = wording.trail(events, NAMES)

    assert [entry.actor for entry in entries] == ["Tina", "Ben"]


def test_findings_in_a_row_are_counted_by_what_was_said():
    paul = User(pk=1, name="Paul")
    events = [
        happened("decide", 1, paul, decisions=[["i1", "Parabasal"], ["i2", "Koilocytotic"]]),
        happened("decide", 2, paul, decisions=[["i1", "Koilocytotic"]]),
    ]

    [entry] = wording.trail(events, NAMES)

    assert entry.sentence == "Made 3 decisions on cells: 2 Koilocytotic, 1 Parabasal."


def recorded_actions():
    """The actions that the verbs write into the trail, read from their source."""
    for path in Path(workflow.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = isinstance(node, ast.Call) and ast.unparse(node.func)
            place = {"audit.record": 2, "transition": 2, "move": 2, "one_of": 1}.get(name)
            if place is not None and isinstance(node.args[place], ast.Constant):
                yield node.args[place].value


def test_every_action_that_a_verb_records_has_a_sentence_of_its_own():
    actions = set(recorded_actions())

    fallbacks = {action: f"{action.replace('_', ' ').capitalize()}." for action in actions}

    assert {"accession", "add_image", "submit", "claim", "sign"} <= actions
    unspoken = {
        action
        for action, fallback in fallbacks.items()
        if wording.event(AuditEvent(action=action, detail={}), NAMES) == fallback
    }
    assert unspoken == set()


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (1.0, "100 %"),
        (0.9999, "> 99 %"),
        (0.994, "99 %"),
        (0.5, "50 %"),
        (0.006, "1 %"),
        (0.004, "< 1 %"),
        (0.0, "0 %"),
    ],
)
def test_a_percentage_is_not_rounded_to_all_or_nothing(probability, words):
    assert wording.percent(probability) == words
