"""Handing a case over, sending it back, and the queues in which people find their cases."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from accounts.models import User
from cases import clock, queries, workflow, worklist
from cases.models import Case, Comment, Finding, ReadingSettings, Review
from cases.workflow import InvalidTransition, Refused
from tests import make
from tests.cases.api import as_person, url

Status = Case.Status

pytestmark = pytest.mark.django_db


def held_case(**fields):
    return make.case(Status.REVIEWING, images=2, **fields)


def colleague_of(case, **fields):
    return make.pathologist(laboratory=case.laboratory, **fields)


def test_a_case_handed_over_is_with_the_colleague_at_once_and_begins_with_a_clean_mind():
    case = held_case()
    sender, colleague = case.reviewer, colleague_of(case)
    finding = make.finding(case, case.images.first())

    handed = workflow.hand_over(case, sender, colleague, " Please look at cell 2. ")

    assert (handed.status, handed.holder) == (Status.REVIEWING, colleague)
    assert not queries.standing_findings(handed).exists()
    assert Finding.objects.get() == finding
    [comment] = handed.comments.all()
    assert (comment.author, comment.to, comment.text) == (
        sender,
        colleague,
        "Please look at cell 2.",
    )
    [event] = handed.events.all()
    assert (event.action, event.actor) == ("hand_over", sender)
    assert event.detail == {"to": colleague.pk, "comment": comment.pk}


def test_a_case_handed_over_waits_a_day_for_the_colleague_and_then_as_long_as_any_claim():
    case = held_case()
    colleague = colleague_of(case)

    handed = workflow.hand_over(case, case.reviewer, colleague)

    assert handed.held_until - handed.held_since == timedelta(hours=24)
    assert workflow.heartbeat(handed, colleague).held_until < clock.now() + timedelta(hours=1)


@pytest.mark.parametrize("role", ["administrator", "cytotechnologist"])
def test_r19_who_has_another_role_since_passes_on_nothing_that_they_still_hold(client, role):
    case = held_case()
    colleague = colleague_of(case)
    User.objects.filter(pk=case.reviewer_id).update(role=role)
    former = User.objects.get(pk=case.reviewer_id)

    with pytest.raises(PermissionDenied):
        workflow.hand_over(case, former, colleague)
    with pytest.raises(PermissionDenied):
        workflow.send_back(case, former, "Mend it.")

    client.force_login(former)
    assert client.get(reverse("case-pass-on", args=[case.pk])).status_code == 403
    case.refresh_from_db()
    assert (case.status, case.reviewer) == (Status.REVIEWING, former)


def test_nobody_hands_over_a_case_that_a_colleague_holds():
    case = held_case()
    other = colleague_of(case)

    with pytest.raises(PermissionDenied, match=f"{case.reviewer.name} holds this case"):
        workflow.hand_over(case, other, other)


@pytest.mark.parametrize("who", ["self", "stranger", "inactive", "cytotechnologist"])
def test_a_case_is_handed_only_to_somebody_who_can_read_it(who):
    case = held_case()
    to = {
        "self": lambda: case.reviewer,
        "stranger": make.pathologist,
        "inactive": lambda: colleague_of(case, is_active=False),
        "cytotechnologist": lambda: case.accessioned_by,
    }[who]()

    with pytest.raises(Refused):
        workflow.hand_over(case, case.reviewer, to)

    case.refresh_from_db()
    assert case.holder == case.reviewer
    assert not Comment.objects.exists()


def test_a_case_sent_back_is_a_draft_of_its_accessioner_and_loses_nothing():
    case = held_case()
    reader = case.reviewer
    finding = make.finding(case, case.images.first())

    sent = workflow.send_back(case, reader, "Two cells are missing.")

    assert (sent.status, sent.reviewer, sent.sent_back_to) == (
        Status.DRAFT,
        None,
        case.accessioned_by,
    )
    assert sent.comments.get().text == "Two cells are missing."
    assert sent.events.get().action == "send_back"
    assert Finding.objects.get() == finding
    resubmitted = workflow.submit(sent, case.accessioned_by, make.model_version())
    assert resubmitted.sent_back_to is None


def test_the_reader_of_a_case_that_was_mended_finds_their_findings_again():
    case = held_case()
    reader = case.reviewer
    finding = make.finding(case, case.images.first())
    workflow.send_back(case, reader, "One more cell, please.")
    added = make.image(case, 7)
    workflow.submit(case, case.accessioned_by, make.model_version())
    run = case.runs.get(status="pending")
    workflow.begin(run)

    assert workflow.unanswered(run) == [added]
    workflow.advance(run, [workflow.Answer(added.pk, probabilities=(0.6, 0.1, 0.1, 0.1, 0.1))])
    workflow.record(run)
    claimed = workflow.claim(case, reader)

    assert list(queries.standing_findings(claimed)) == [finding]


def test_an_image_that_was_classified_stays_in_a_case_that_was_sent_back():
    case = held_case()
    workflow.send_back(case, case.reviewer, "Mend the patient id.")

    with pytest.raises(Refused, match="was classified before"):
        workflow.remove_image(case, case.accessioned_by, case.images.first().pk)


@pytest.mark.parametrize("words", ["", "  ", "nul\0", "x" * 2001])
def test_a_case_is_sent_back_with_words_that_can_be_kept(words):
    case = held_case()

    with pytest.raises(Refused):
        workflow.send_back(case, case.reviewer, words)

    case.refresh_from_db()
    assert case.status == Status.REVIEWING


def test_only_a_case_in_hand_is_passed_on():
    case = make.case(Status.AWAITING_REVIEW)
    person = colleague_of(case)

    with pytest.raises(InvalidTransition, match="nobody holds it"):
        workflow.hand_over(case, person, colleague_of(case))
    with pytest.raises(InvalidTransition, match="nobody holds it"):
        workflow.send_back(case, person, "Mend it.")


def in_queue(user, state):
    return set(Case.objects.visible_to(user).filter(worklist.in_queue(user, state)))


def test_everyone_finds_in_a_queue_what_is_theirs_their_teams_or_sent_back_to_them():
    laboratory = make.laboratory()
    technologist, other = (make.cytotechnologist(laboratory=laboratory) for _ in range(2))
    reader, colleague = (make.pathologist(laboratory=laboratory) for _ in range(2))
    waiting = make.case(Status.AWAITING_REVIEW, by=technologist)
    held = make.case(Status.REVIEWING, by=technologist, reviewer=reader)
    handed = make.case(Status.REVIEWING, by=technologist, reviewer=reader)
    workflow.hand_over(handed, reader, colleague)
    back = make.case(Status.REVIEWING, by=technologist, reviewer=reader)
    workflow.send_back(back, reader, "Mend it.")
    signed = make.case(Status.SIGNED, by=technologist, reviewer=reader)
    draft = make.case(by=other)
    make.case()  # of another laboratory

    assert in_queue(reader, "mine") == {held}
    assert in_queue(colleague, "mine") == {handed}
    assert in_queue(technologist, "mine") == {back}
    assert in_queue(reader, "team") == {waiting, held, handed}
    assert in_queue(technologist, "team") == {back, draft}
    assert in_queue(technologist, "sent_back") == {back}
    assert in_queue(other, "sent_back") == set()
    assert in_queue(reader, "sent_back") == set()
    assert signed not in in_queue(make.administrator(laboratory=laboratory), "team")


def test_what_was_sent_back_to_somebody_who_has_gone_is_their_colleagues_to_mend():
    case = held_case()
    colleague = make.cytotechnologist(laboratory=case.laboratory)
    workflow.send_back(case, case.reviewer, "Mend it.")

    case.accessioned_by.is_active = False
    case.accessioned_by.save()

    assert in_queue(colleague, "sent_back") == {case}


def test_the_tiles_are_links_with_the_count_of_each_queue(client):
    case = held_case()
    workflow.send_back(case, case.reviewer, "Mend it.")
    client.force_login(case.accessioned_by)

    page = client.get(reverse("worklist"), {"state": "sent_back"})

    tiles = {tile.state: tile.count for tile in page.context["tiles"]}
    assert {state: tiles[state] for state in ("mine", "team", "sent_back")} == {
        "mine": 1,
        "team": 1,
        "sent_back": 1,
    }
    assert 'href="?state=sent_back"' in page.content.decode()
    assert [shown.pk for shown in page.context["cases"]] == [case.pk]
    assert "Sent back</span>" in page.content.decode()


def test_r14_overdue_cases_rise_in_the_worklist_and_the_target_is_the_laboratorys(client):
    laboratory = make.laboratory(routine_turnaround_hours=48, urgent_turnaround_hours=6)
    technologist = make.cytotechnologist(laboratory=laboratory)
    said = {"record_number": "P-1", "specimen_type": "LBC"}
    with clock.at(clock.now() - timedelta(hours=12)):
        routine = workflow.accession(technologist, workflow.Accession(**said))
        urgent = workflow.accession(technologist, workflow.Accession(**said, priority="urgent"))
    client.force_login(technologist)

    page = client.get(reverse("worklist"))

    assert routine.due_at - routine.accessioned_at == timedelta(hours=48)
    assert urgent.due_at - urgent.accessioned_at == timedelta(hours=6)
    assert [case.pk for case in page.context["cases"]] == [urgent.pk, routine.pk]
    assert "Overdue by 6 hours" in page.content.decode()
    assert {tile.state: tile.count for tile in page.context["tiles"]}["overdue"] == 1


def test_the_page_keeps_what_was_typed_where_it_cannot_be_done(client):
    case = held_case()
    client.force_login(case.reviewer)
    address = reverse("case-hand-over", args=[case.pk])

    nobody = client.post(address, {"hand-over-to": "", "hand-over-comment": "Typed with care."})
    workflow.release(case, case.reviewer)
    too_late = client.post(
        reverse("case-send-back", args=[case.pk]), {"send-back-comment": "Mend the id."}
    )

    assert "Typed with care." in nobody.content.decode()
    assert "Say to whom you hand the case over." in nobody.content.decode()
    assert "Mend the id." in too_late.content.decode()
    assert "nobody holds it" in too_late.content.decode()
    assert not Comment.objects.exists()


def test_a_case_is_handed_over_on_its_page_and_the_comment_stands_on_it(client):
    case = held_case()
    colleague = colleague_of(case)
    client.force_login(case.reviewer)

    answer = client.post(
        reverse("case-hand-over", args=[case.pk]),
        {"hand-over-to": colleague.pk, "hand-over-comment": "Is cell 2 a koilocyte?"},
        follow=True,
    )
    assert f"is with {colleague.name} now" in answer.content.decode()

    for person, sees in (
        (colleague, True),
        (make.administrator(laboratory=case.laboratory), False),
    ):
        client.force_login(person)
        page = client.get(reverse("case-detail", args=[case.pk])).content.decode()
        assert ("Is cell 2 a koilocyte?" in page) is sees
    trail = client.get(reverse("case-trail", args=[case.pk])).content.decode()
    assert f"Handed the case over to {colleague.name}." in trail


def test_a_case_is_passed_on_over_the_api():
    case = held_case()
    colleague = colleague_of(case)

    handed = as_person(case.reviewer).post(
        url("case-hand-over", case), {"to": colleague.pk, "comment": "Yours."}
    )
    back = as_person(colleague).post(url("case-send-back", case), {"comment": "Mend it."})
    queue = as_person(case.accessioned_by).get(url("case-list"), {"queue": "sent_back"})

    assert handed.json()["holder"]["id"] == colleague.pk
    assert [comment["text"] for comment in back.json()["comments"]] == ["Yours.", "Mend it."]
    assert [row["id"] for row in queue.json()["results"]] == [str(case.pk)]


def test_r6_who_has_yet_to_read_blind_does_not_see_what_colleagues_said_of_the_case():
    case = make.case(Status.SCREENING, images=1)
    case.laboratory.reading = ReadingSettings.objects.create(
        laboratory=case.laboratory, primary_screening=True
    )
    screener = case.reviewer
    colleague = make.cytotechnologist(laboratory=case.laboratory)
    workflow.hand_over(case, screener, colleague, "It looks negative to me.")
    Case.objects.filter(pk=case.pk).update(
        status=Status.AWAITING_RESCREEN, reviewer=None, held_since=None, held_until=None
    )
    case.refresh_from_db()

    seen = {
        person: [comment.text for comment in queries.comments(case, person)]
        for person in (screener, colleague, colleague_of(case))
    }

    assert list(seen.values()) == [["It looks negative to me."]] * 2 + [[]]


def senior_of(case):
    senior = make.cytotechnologist(laboratory=case.laboratory)
    senior.is_senior = True
    senior.save()
    return senior


def screened(case, reader):
    kind = Review.Kind.SCREENING
    return Review.objects.create(case=case, reader=reader, kind=kind, ended_at=clock.now())


def test_r6_a_rescreen_is_not_handed_over_to_who_screened_the_case():
    case = make.case(Status.RESCREENING, images=1)
    screener = senior_of(case)
    screened(case, screener)

    with pytest.raises(Refused, match=f"{screener.name} has read this case"):
        workflow.hand_over(case, case.reviewer, screener)


def test_r6_a_rescreen_waits_in_the_queue_of_those_who_may_do_it():
    case = make.case(Status.AWAITING_RESCREEN, images=1)
    screener, senior = senior_of(case), senior_of(case)
    screened(case, screener)

    waiting = {
        person: in_queue(person, "rescreen")
        for person in (screener, senior, colleague_of(case), case.accessioned_by)
    }

    assert list(waiting.values()) == [set(), {case}, {case}, set()]
