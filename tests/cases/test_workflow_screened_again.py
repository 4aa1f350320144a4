"""A pathologist sends a case back to be screened again: what was screened is kept, and locked."""

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.db import ProgrammingError, transaction
from django.urls import reverse

from cases import queries, sight, wording, workflow, worklist
from cases.bethesda import Adequacy, Read
from cases.models import Case, Review
from cases.workflow import InvalidTransition, Refused
from tests import make
from tests.cases.api import as_person, url
from tests.make import proof

Status = Case.Status
NILM = make.NILM
LSIL = Read(adequacy=Adequacy.SATISFACTORY, interpretations=("LSIL",))
WORDS = "Look at cell 2 again, please."

pytestmark = pytest.mark.django_db


def read_by(case, person, said, verb, **more):
    """Claim, decide on every cell as this person, and commit, or what the verb says."""
    workflow.claim(case, person)
    workflow.display(case, person, [image.pk for image in case.images.all()])
    decisions = [
        workflow.Decision(
            image_id=image.pk, cell_class="Koilocytotic" if said == LSIL else "Parabasal"
        )
        for image in case.images.all()
    ]
    workflow.decide(case, person, decisions)
    return verb(case, person, said, **more)


def screened_case(*, reading_order="assisted", claimed=True):
    """Screened, referred, and in the hands of a pathologist."""
    laboratory = make.laboratory()
    make.reading(laboratory, primary_screening=True, reading_order=reading_order)
    screener = make.cytotechnologist(laboratory=laboratory)
    case = make.case(Status.AWAITING_SCREENING, by=screener, images=2)
    read_by(case, screener, NILM, workflow.commit)
    if reading_order == "blind-first":
        workflow.conclude(case, screener, NILM)
    reader = make.pathologist(laboratory=laboratory)
    if claimed:
        workflow.claim(case, reader)
    case.refresh_from_db()
    return case, screener, reader


def in_queue(user, state):
    return set(Case.objects.visible_to(user).filter(worklist.in_queue(user, state)))


def test_a_case_sent_back_for_another_screening_waits_with_the_screener_and_loses_nothing():
    case, screener, reader = screened_case()
    first = case.reviews.get(reader=screener)
    found = set(first.findings.all())

    sent = workflow.send_back(case, reader, WORDS, screener)

    assert (sent.status, sent.holder, sent.sent_back_to) == (
        Status.AWAITING_SCREENING,
        None,
        screener,
    )
    assert in_queue(screener, "sent_back") == {case}
    first.refresh_from_db()
    assert first.superseded_at is not None
    assert (first.read, first.outcome) == (NILM.to_json(), "refer")
    assert set(first.findings.filter(withdrawn_at=None)) == found


def test_the_same_screener_screens_again_with_findings_of_their_own_and_both_reads_are_kept():
    case, screener, reader = screened_case()
    workflow.send_back(case, reader, WORDS, screener)

    workflow.claim(case, screener)
    assert not queries.standing_findings(case).exists()
    workflow.release(case, screener)
    again = read_by(case, screener, LSIL, workflow.commit)

    assert (again.status, again.sent_back_to) == (Status.AWAITING_REVIEW, None)
    assert [read.read for read in queries.shown_reads(again, sight.WHOLE)] == [
        NILM.to_json(),
        LSIL.to_json(),
    ]
    assert queries.first_read(again).read == LSIL.to_json()
    assert in_queue(screener, "sent_back") == set()


def test_r6_another_cytotechnologist_may_screen_in_their_place_and_reads_what_was_asked():
    case, screener, reader = screened_case()
    colleague = make.cytotechnologist(laboratory=case.laboratory)
    workflow.send_back(case, reader, WORDS, screener)

    before = queries.comments(Case.objects.get(pk=case.pk), colleague)
    held = workflow.claim(case, colleague)

    assert before == []
    assert [comment.text for comment in queries.comments(held, colleague)] == [WORDS]
    workflow.release(held, colleague)
    assert in_queue(screener, "sent_back") == {case}


def test_r22_who_screens_in_their_place_is_blind_to_the_model_and_to_the_earlier_reads():
    case, _, reader = screened_case(reading_order="blind-first")
    colleague = make.cytotechnologist(laboratory=case.laboratory)
    workflow.send_back(case, reader, WORDS, colleague)

    workflow.claim(case, colleague)
    case.refresh_from_db()
    seen = sight.of(colleague, case)

    assert case.reviews.get(reader=colleague).is_blind
    assert (seen.model, seen.reads) == (False, False)
    assert queries.shown_reads(case, seen) == []
    workflow.release(case, colleague)
    read_by(case, colleague, NILM, workflow.commit)
    assert sight.of(colleague, case).model


def test_r22_who_was_shown_the_model_before_does_not_count_as_blind_again():
    case, screener, reader = screened_case(reading_order="blind-first")
    workflow.send_back(case, reader, WORDS, screener)

    workflow.claim(case, screener)

    assert not case.reviews.get(reader=screener, superseded_at=None).is_blind


def test_r22_the_pathologist_who_asked_stays_blind_while_the_case_is_screened_again():
    case, screener, reader = screened_case(reading_order="blind-first")

    workflow.send_back(case, reader, WORDS, screener)

    assert not sight.of(reader, case).model


def test_a_case_screened_again_comes_back_to_a_pathologist_where_its_screener_might_sign():
    case, screener, reader = screened_case()
    make.reading(case.laboratory, cytotechnologists_sign=True)  # only now: no draw holds it before
    workflow.send_back(case, reader, WORDS, screener)

    again = read_by(case, screener, NILM, workflow.commit)

    assert again.status == Status.AWAITING_REVIEW
    assert "A pathologist asked for this screening" in queries.first_read(again).why


def test_the_report_names_the_screening_that_was_superseded_and_the_one_in_its_place():
    case, screener, reader = screened_case()
    workflow.send_back(case, reader, WORDS, screener)
    read_by(case, screener, LSIL, workflow.commit)

    read_by(case, reader, LSIL, workflow.sign, proof=proof(reader))

    said = json.loads(case.reports.get().content)["reads"]
    assert [(read["kind"], bool(read["superseded_at"])) for read in said] == [
        ("screening", True),
        ("screening", False),
        ("review", False),
    ]


def test_the_pathologist_who_asked_finds_their_own_findings_again():
    case, screener, reader = screened_case()
    finding = make.finding(case, case.images.first())
    workflow.send_back(case, reader, WORDS, screener)
    read_by(case, screener, NILM, workflow.commit)

    claimed = workflow.claim(case, reader)

    assert list(queries.standing_findings(claimed)) == [finding]


def test_r11_the_database_keeps_a_superseded_screening_from_being_changed():
    case, screener, reader = screened_case()
    workflow.send_back(case, reader, WORDS, screener)
    first = case.reviews.get(reader=screener)

    for change in ({"superseded_at": None}, {"read": LSIL.to_json()}, {"why": "Rewritten (R2)."}):
        with pytest.raises(ProgrammingError, match="superseded"), transaction.atomic():
            Review.objects.filter(pk=first.pk).update(**change)


def test_r9_the_second_screening_of_a_slide_counts_as_another_one():
    case, screener, reader = screened_case()
    workflow.send_back(case, reader, WORDS, screener)
    screener.workload_limits.create(hours=8, slides=1, set_by=reader)

    with pytest.raises(Refused, match="R9"):
        workflow.claim(case, screener)


@pytest.mark.parametrize("who", ["pathologist", "inactive", "stranger"])
def test_only_a_cytotechnologist_of_the_laboratory_is_asked_to_screen(who):
    case, _, reader = screened_case()
    to = {
        "pathologist": lambda: make.pathologist(laboratory=case.laboratory),
        "inactive": lambda: make.cytotechnologist(laboratory=case.laboratory, is_active=False),
        "stranger": make.cytotechnologist,
    }[who]()

    with pytest.raises(Refused, match="cannot screen"):
        workflow.send_back(case, reader, WORDS, to)

    assert not case.reviews.filter(superseded_at__isnull=False).exists()


def test_a_case_that_nobody_screened_is_not_sent_back_for_another_screening():
    case = make.case(Status.REVIEWING, images=1)

    with pytest.raises(Refused, match="Nobody has screened"):
        workflow.send_back(case, case.reviewer, WORDS, case.accessioned_by)


def test_a_screener_asks_nobody_for_another_screening():
    case, screener, reader = screened_case()
    colleague = make.cytotechnologist(laboratory=case.laboratory)
    workflow.send_back(case, reader, WORDS, screener)
    workflow.claim(case, screener)

    with pytest.raises(Refused, match="Only the pathologist"):
        workflow.send_back(case, screener, WORDS, colleague)


def test_only_who_holds_the_case_sends_it_back_and_only_while_they_read():
    case, screener, reader = screened_case(claimed=False)

    with pytest.raises(InvalidTransition, match="Cannot send back"):
        workflow.send_back(case, reader, WORDS, screener)
    workflow.claim(case, reader)
    with pytest.raises(PermissionDenied, match="holds this case"):
        workflow.send_back(case, make.pathologist(laboratory=case.laboratory), WORDS, screener)


def test_a_case_asked_to_be_screened_again_keeps_waiting_for_it_through_a_new_run():
    case, screener, reader = screened_case()
    make.reading(case.laboratory, primary_screening=False)
    workflow.send_back(case, reader, WORDS, screener)
    newer = make.newer_model_version()
    workflow.reclassify(case, screener, newer)
    run = case.runs.get(status="pending")
    workflow.begin(run)
    workflow.advance(
        run,
        [
            workflow.Answer(image.pk, probabilities=(0.6, 0.1, 0.1, 0.1, 0.1))
            for image in workflow.unanswered(run)
        ],
    )

    assert workflow.record(run).status == Status.AWAITING_SCREENING
    assert in_queue(screener, "sent_back") == {case}


def test_the_trail_and_the_reads_tell_it_in_plain_language():
    case, screener, reader = screened_case()
    workflow.send_back(case, reader, WORDS, screener)
    names = {str(screener.pk): screener.name}

    said = wording.event(case.events.filter(action="send_back").get(), names)
    [read] = wording.reads(queries.shown_reads(case, sight.WHOLE), sight.WHOLE)

    assert said == (
        f"Sent the case back to {screener.name} for another screening; the earlier one is kept."
    )
    assert read.why.endswith("A pathologist then asked for another screening.")


def test_the_page_offers_the_screeners_to_a_pathologist_and_sends_the_case_to_the_chosen_one(
    client,
):
    case, screener, reader = screened_case()
    client.force_login(reader)

    page = client.get(reverse("case-pass-on", args=[case.pk])).content.decode()
    client.post(
        reverse("case-send-back", args=[case.pk]),
        {"send-back-comment": WORDS, "send-back-screener": screener.pk},
    )

    assert f"Another screening, by {screener.name}" in page
    case.refresh_from_db()
    assert (case.status, case.sent_back_to) == (Status.AWAITING_SCREENING, screener)
    client.force_login(screener)
    queue = client.get(reverse("worklist"), {"state": "sent_back"})
    assert [shown.pk for shown in queue.context["cases"]] == [case.pk]
    assert WORDS in client.get(reverse("case-detail", args=[case.pk])).content.decode()


def test_the_page_of_a_case_that_nobody_screened_offers_preparation_alone(client):
    case = make.case(Status.REVIEWING, images=1)
    client.force_login(case.reviewer)

    page = client.get(reverse("case-pass-on", args=[case.pk])).content.decode()

    assert "Another screening" not in page
    assert "send-back-screener" not in page


def test_a_case_is_sent_back_for_another_screening_over_the_api():
    case, screener, reader = screened_case()

    sent = as_person(reader).post(
        url("case-send-back", case), {"comment": WORDS, "screener": screener.pk}
    )
    stranger = as_person(reader).post(
        url("case-send-back", case),
        {"comment": WORDS, "screener": make.cytotechnologist().pk},
    )
    seen = as_person(screener).get(url("case-detail", case)).json()

    assert sent.json()["status"] == Status.AWAITING_SCREENING
    assert stranger.status_code == 400
    assert [bool(read["superseded_at"]) for read in seen["reads"]] == [True]


def test_an_export_before_the_release_does_not_tell_a_superseded_result():
    case, screener, reader = screened_case()
    workflow.send_back(case, reader, WORDS, screener)

    document = as_person(screener).get(url("case-fhir", case)).json()

    report = next(
        entry["resource"]
        for entry in document["entry"]
        if entry["resource"]["resourceType"] == "DiagnosticReport"
    )
    assert report["status"] == "preliminary"
    assert "conclusion" not in report
