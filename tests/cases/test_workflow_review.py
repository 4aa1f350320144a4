"""Claim, decide, release, sign: whose findings, against which page, under which rules."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction

from accounts.models import User
from cases import bethesda, queries, signature, workflow
from cases.bethesda import Adequacy
from cases.models import AuditEvent, Case, Display, Finding, Report
from cases.workflow import Decision, InvalidTransition, Refused, StaleFinding
from tests import make
from tests.make import proof

Status = Case.Status
NILM = bethesda.Read(adequacy=Adequacy.SATISFACTORY, interpretations=("NILM",))

pytestmark = pytest.mark.django_db


def case_in_review(images=2):
    return make.case(Status.REVIEWING, images=images)


def decided_case(cell_class="Parabasal", images=2):
    case = case_in_review(images)
    for image in case.images.all():
        make.finding(case, image, cell_class)
    return case


def say(case, image, cell_class="", *, replaces=None, exclusion=""):
    decision = Decision(
        image_id=image.pk, cell_class=cell_class, exclusion=exclusion, replaces=replaces
    )
    return workflow.decide(case, case.reviewer, [decision])


def test_r23_claim_gives_the_case_to_the_pathologist_and_fills_in_nothing():
    case = make.case(Status.AWAITING_REVIEW, images=2)
    pathologist = make.pathologist(laboratory=case.laboratory)

    claimed = workflow.claim(case, pathologist)

    assert (claimed.status, claimed.reviewer) == (Status.REVIEWING, pathologist)
    assert not Finding.objects.exists()
    [event] = claimed.events.all()
    assert (event.action, event.actor) == ("claim", pathologist)


def test_r25_a_finding_keeps_what_the_model_said_beside_it():
    case = case_in_review()
    image = case.images.first()

    [finding] = say(case, image, "Koilocytotic")

    assert finding.prediction == image.predictions.get()
    assert finding.agrees is False


def test_r18_a_new_finding_withdraws_the_old_one_and_row_and_trail_keep_both():
    case = case_in_review()
    image = case.images.first()
    [first] = say(case, image, "Koilocytotic")

    [second] = say(case, image, "Parabasal", replaces=first.pk)

    first.refresh_from_db()
    assert first.withdrawn_at is not None
    assert list(queries.standing_findings(case)) == [second]
    said = [event.detail["decisions"] for event in case.events.filter(action="decide")]
    assert said == [[[str(image.pk), "Koilocytotic"]], [[str(image.pk), "Parabasal"]]]


def test_r23_a_finding_that_is_taken_back_leaves_none():
    case = case_in_review()
    image = case.images.first()
    [first] = say(case, image, "Koilocytotic")

    made = say(case, image, replaces=first.pk)

    assert made == []
    assert not queries.standing_findings(case).exists()


@pytest.mark.parametrize("seen", [None, uuid4()])
def test_a_stale_page_cannot_overwrite_a_newer_finding(seen):
    case = case_in_review()
    image = case.images.first()
    [newer] = say(case, image, "Koilocytotic")

    with pytest.raises(StaleFinding, match="Nothing was overwritten"):
        say(case, image, "Parabasal", replaces=seen)

    assert list(queries.standing_findings(case)) == [newer]


def test_decisions_are_kept_all_or_none():
    case = case_in_review()
    first, second = case.images.all()
    say(case, second, "Parabasal")
    decisions = [
        Decision(image_id=first.pk, cell_class="Parabasal"),
        Decision(image_id=second.pk, cell_class="Metaplastic"),
    ]

    with pytest.raises(StaleFinding):
        workflow.decide(case, case.reviewer, decisions)

    assert not first.findings.exists()


@pytest.mark.parametrize(
    ("cell_class", "exclusion", "sentence"),
    [
        ("Squamous", "", "not one of the five classes"),
        ("Parabasal", "blurred", "not both"),
        ("", "  ", "Say why"),
        ("", "x" * 201, "longer than 200"),
        ("", "out of\0focus", "cannot be stored"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(cell_class, exclusion, sentence):
    case = case_in_review()

    with pytest.raises(Refused, match=sentence):
        say(case, case.images.first(), cell_class, exclusion=exclusion)

    assert not Finding.objects.exists()


def test_an_image_of_another_case_is_refused():
    case, other = case_in_review(), case_in_review()

    with pytest.raises(Refused, match="not in the case"):
        say(case, other.images.first(), "Parabasal")


def test_who_claims_again_finds_their_own_findings_and_no_one_elses():
    case = case_in_review()
    first, second = case.reviewer, make.pathologist(laboratory=case.laboratory)
    [own] = say(case, case.images.first(), "Koilocytotic")

    workflow.release(case, first)
    theirs = list(queries.standing_findings(workflow.claim(case, second)))
    workflow.release(case, second)
    again = list(queries.standing_findings(workflow.claim(case, first)))

    assert (theirs, again) == ([], [own])


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": "cytotechnologist"}])
def test_a_case_of_a_pathologist_who_can_sign_no_more_is_released_by_a_colleague(change):
    case = case_in_review()
    User.objects.filter(pk=case.reviewer_id).update(**change)

    released = workflow.release(case, make.pathologist(laboratory=case.laboratory))

    assert (released.status, released.reviewer) == (Status.AWAITING_REVIEW, None)


def test_r16_r18_sign_records_who_said_what_and_when():
    case = decided_case()

    signed = workflow.sign(case, case.reviewer, NILM, proof(case.reviewer))

    assert (signed.status, signed.reviewer) == (Status.SIGNED, case.reviewer)
    assert signed.signed_at is not None
    report = signed.reports.get()
    said = json.loads(report.content)
    assert said["signature"]["name"] == case.reviewer.name
    assert said["signature"]["role"] == "Pathologist"
    assert said["signature"]["signed_at"] == signed.signed_at.isoformat()
    assert said["read"]["interpretations"] == ["NILM"]
    assert [cell["finding"] for cell in said["cells"]] == ["Parabasal", "Parabasal"]
    assert said["disclaimer"] == "Research and education only, not for diagnosis."
    assert signature.matches(report)
    event = signed.events.get()
    assert (event.action, event.detail["digest"]) == ("sign", report.digest)
    assert (event.from_status, event.to_status) == (Status.REVIEWING, Status.SIGNED)


def test_r25_the_report_keeps_of_each_answer_the_version_its_digest_and_all_probabilities():
    case = decided_case(images=1)
    prediction = case.images.get().predictions.get()

    workflow.sign(case, case.reviewer, NILM, proof(case.reviewer))

    [cell] = json.loads(case.reports.get().content)["cells"]
    version = prediction.model_version
    assert (cell["model"]["version"], cell["model"]["digest"]) == (version.name, version.digest)
    assert cell["model"]["probabilities"] == list(prediction.probabilities)
    assert cell["model"]["prediction_set"] == ["Parabasal"]


def test_the_report_names_no_one_but_by_pseudonym():
    case = decided_case()
    case.patient.name = "Ada Lovelace"
    case.patient.save()

    workflow.sign(case, case.reviewer, NILM, proof(case.reviewer))

    report = case.reports.get()
    assert "Ada" not in report.content
    assert case.patient.record_number in report.content


def read(**fields):
    return bethesda.Read(**fields)


UNSATISFACTORY = Adequacy.UNSATISFACTORY


@pytest.mark.parametrize(
    ("said", "found", "rule"),
    [
        (read(adequacy=Adequacy.SATISFACTORY), "Parabasal", "R3"),
        (read(adequacy=UNSATISFACTORY), "Parabasal", "R3"),
        (read(adequacy=UNSATISFACTORY, reasons=("BLOOD",)), "Koilocytotic", "R3"),
        (
            read(adequacy=UNSATISFACTORY, reasons=("BLOOD",), interpretations=("NILM",)),
            "Parabasal",
            "R3",
        ),
        (
            read(adequacy=Adequacy.SATISFACTORY, interpretations=("NILM", "LSIL")),
            "Koilocytotic",
            "R4",
        ),
    ],
)
def test_r3_r4_a_read_that_breaks_a_rule_is_not_signed_and_the_rule_is_named(said, found, rule):
    case = decided_case(found)

    with pytest.raises(Refused, match=rule):
        workflow.sign(case, case.reviewer, said, proof(case.reviewer))

    case.refresh_from_db()
    assert (case.status, case.signed_at) == (Status.REVIEWING, None)
    assert not Report.objects.exists()
    assert not AuditEvent.objects.exists()


def test_an_unsatisfactory_specimen_is_signed_without_an_interpretation():
    case = decided_case()
    said = read(adequacy=UNSATISFACTORY, reasons=("BLOOD",))

    signed = workflow.sign(case, case.reviewer, said, proof(case.reviewer))

    assert signed.status == Status.SIGNED


def test_r23_a_case_with_an_undecided_cell_is_not_signed():
    case = case_in_review()
    make.finding(case, case.images.first())

    with pytest.raises(Refused, match="One cell has no finding yet"):
        workflow.sign(case, case.reviewer, NILM, proof(case.reviewer))


def test_a_case_with_a_cell_that_was_never_displayed_to_its_reader_is_not_signed():
    case = decided_case()
    colleague = make.pathologist(laboratory=case.laboratory)
    unseen = case.images.first()
    Display.objects.filter(image=unseen).update(reader=colleague)

    with pytest.raises(Refused, match="One cell was never displayed to you"):
        workflow.sign(case, case.reviewer, NILM, proof(case.reviewer))
    workflow.display(case, case.reviewer, [unseen.pk])
    signed = workflow.sign(case, case.reviewer, NILM, proof(case.reviewer))

    assert signed.status == Status.SIGNED


def test_what_was_displayed_is_kept_once_with_its_event():
    case = case_in_review()
    first, second = case.images.values_list("pk", flat=True)

    made = [
        workflow.display(case, case.reviewer, images)
        for images in ([first], [first, second], [second])
    ]

    assert made == [[first], [second], []]
    assert set(queries.displays(case).values_list("image_id", flat=True)) == {first, second}
    said = [event.detail["images"] for event in case.events.filter(action="display")]
    assert said == [[str(first)], [str(second)]]


def test_an_image_of_another_case_is_not_displayed():
    case = case_in_review()
    other = case_in_review(images=1).images.get()

    with pytest.raises(Refused, match="not in the case"):
        workflow.display(case, case.reviewer, [case.images.first().pk, other.pk])

    assert not Display.objects.exists()


def test_an_excluded_cell_counts_as_decided_and_need_not_be_displayed():
    case = case_in_review(images=1)
    make.finding(case, case.images.get(), exclusion="Out of focus")
    Display.objects.all().delete()

    signed = workflow.sign(case, case.reviewer, NILM, proof(case.reviewer))

    [cell] = json.loads(signed.reports.get().content)["cells"]
    assert (cell["finding"], cell["exclusion"]) == (None, "Out of focus")


@pytest.mark.parametrize("whose", ["another's", "old"])
def test_r15_a_signature_needs_the_signers_own_and_fresh_password(whose):
    case = decided_case()
    given = (
        proof(make.pathologist())
        if whose == "another's"
        else proof(case.reviewer, age=timedelta(minutes=3))
    )

    with pytest.raises(PermissionDenied, match="password"):
        workflow.sign(case, case.reviewer, NILM, given)

    case.refresh_from_db()
    assert case.status == Status.REVIEWING


def test_r17_r19_who_is_an_administrator_by_now_cannot_sign():
    case = decided_case()
    User.objects.filter(pk=case.reviewer_id).update(role="administrator")

    with pytest.raises(PermissionDenied):
        workflow.sign(case, User.objects.get(pk=case.reviewer_id), NILM, proof(case.reviewer))


def test_r16_the_same_content_is_one_text_however_it_was_put_together():
    assert signature.canonical({"b": [1, None], "a": "é"}) == '{"a":"é","b":[1,null]}'


def test_r16_a_report_whose_text_was_changed_no_longer_matches():
    case = decided_case()
    workflow.sign(case, case.reviewer, NILM, proof(case.reviewer))
    report = case.reports.get()

    report.content = report.content.replace("NILM", "HSIL")

    assert not signature.matches(report)


@pytest.mark.parametrize("table", ["cases_auditevent", "cases_report"])
@pytest.mark.parametrize("change", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
def test_r12_r18_the_database_refuses_to_rewrite_trail_and_reports(table, change):
    case = decided_case()
    workflow.sign(case, case.reviewer, NILM, proof(case.reviewer))

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else TRUNCATE has another reason
        with pytest.raises(DatabaseError, match=r"append-only|never rewritten"):
            cursor.execute(change.format(table))
        transaction.set_rollback(True)


def test_r12_r19_only_the_workflow_changes_a_status_of_a_signed_case():
    case = decided_case()
    signed = workflow.sign(case, case.reviewer, NILM, proof(case.reviewer))

    for verb in (workflow.claim, workflow.release):
        with pytest.raises(InvalidTransition, match="signed"):
            verb(signed, case.reviewer)
