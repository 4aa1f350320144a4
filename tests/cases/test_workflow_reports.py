"""After release nothing is edited: every change is a version of its own, signed anew (R12, R16)."""

import json
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from cases import bethesda, clock, signature, storage, workflow
from cases.bethesda import Adequacy
from cases.models import Case, Patient, Report
from cases.signature import Change
from cases.workflow import Correction, InvalidTransition, Refused, StaleReport
from inference.labels import CellClass
from tests import make
from tests.at_once import at_once
from tests.make import proof
from tests.reports.world import rewrite

Status = Case.Status
NILM = make.NILM
LSIL = bethesda.Read(adequacy=Adequacy.SATISFACTORY, interpretations=("LSIL",))

pytestmark = pytest.mark.django_db


def signed_case(read=NILM, cell_class=CellClass.PARABASAL, images=2, **fields):
    case = make.case(Status.REVIEWING, images=images, **fields)
    for image in case.images.all():
        make.finding(case, image, cell_class)
    return workflow.sign(case, case.reviewer, read, proof(case.reviewer))


def change(supersedes=1, **fields):
    values = {"reason": "A second look.", "affects_care": False} | fields
    return Change(supersedes=supersedes, **values)


def correction(case, **fields):
    """What the case says already, but for what is mended."""
    values = {
        "record_number": case.patient.record_number,
        "specimen_type": case.specimen_type,
        "collected_on": case.collected_on,
        "comment": "",
    }
    return Correction(**values | fields)


def addend(case, text="HPV test: negative.", by=None, **fields):
    user = by or case.reviewer
    return workflow.addend(case, user, change(**fields), text, proof(user))


def amend(case, read=LSIL, by=None, **fields):
    user = by or case.reviewer
    return workflow.amend(case, user, change(**fields), read, proof(user))


def correct(case, by=None, supersedes=1, **fields):
    user = by or case.reviewer
    mended = correction(case, **fields)
    return workflow.correct(case, user, change(supersedes), mended, proof(user))


def said(case):
    return json.loads(case.reports.current().get().content)


MAKE = {
    "addend": addend,
    "amend": amend,
    "correct": lambda case, **f: correct(case, comment="Mended.", **f),
}


@pytest.mark.parametrize("verb", MAKE)
def test_r12_a_change_after_release_is_a_new_version_with_a_reason_and_edits_nothing(verb):
    case = signed_case()
    first = Report.objects.filter(case=case).values().get()

    changed = MAKE[verb](case)

    old, new = case.reports.all()
    assert Report.objects.filter(pk=old.pk).values().get() == first
    assert (new.version, new.kind[:4]) == (2, verb[:4])
    assert said(case)["change"]["reason"] == "A second look."
    assert said(case)["change"]["supersedes_digest"] == old.digest
    assert all(signature.matches(report) for report in (old, new))
    assert (changed.status, changed.signed_at) == (Status.SIGNED, case.signed_at)


def test_r12_without_a_reason_there_is_no_new_version():
    case = signed_case()

    for reason in ("", "  "):
        with pytest.raises(Refused, match="reason is missing"):
            addend(case, reason=reason)

    assert case.reports.count() == 1


def test_r16_each_version_is_signed_by_name_role_time_and_meaning_and_bound_to_its_content():
    case = signed_case()
    colleague = make.pathologist(laboratory=case.laboratory, name="Dr. Second")

    amend(case, by=colleague)

    report = case.reports.current().get()
    printed = said(case)["signature"]
    assert (printed["name"], printed["role"]) == ("Dr. Second", "Pathologist")
    assert printed["meaning"] == signature.MEANINGS[Report.Kind.AMENDMENT]
    assert printed["signed_at"] == report.signed_at.isoformat()
    assert (report.signed_by, report.digest) == (colleague, signature.digest(report.content))
    report.content = report.content.replace("LSIL", "NILM")
    assert not signature.matches(report)


def test_r12_an_addendum_adds_its_words_and_leaves_the_result_and_what_was_said_before():
    case = signed_case()

    addend(case, "HPV test: negative.")
    addend(case, "HPV type 16: negative.", supersedes=2)

    assert said(case)["read"] == NILM.to_json()
    assert said(case)["addendum"] == "HPV type 16: negative."
    assert [e["addendum"] for e in said(case)["earlier"]] == ["", "HPV test: negative."]


def test_r12_an_amendment_states_the_new_result_and_the_one_before():
    case = signed_case()

    amend(case)

    assert said(case)["read"]["interpretations"] == ["LSIL"]
    [before] = said(case)["earlier"]
    assert (before["version"], before["read"]["interpretations"]) == (1, ["NILM"])
    assert before["signature"]["name"] == case.reviewer.name
    assert said(case)["cells_read_by"]["user"] == case.reviewer_id


def test_r3_r4_an_amendment_obeys_the_rules_of_a_read():
    case = signed_case(LSIL, CellClass.KOILOCYTOTIC)
    unsatisfactory = bethesda.Read(adequacy=Adequacy.UNSATISFACTORY, reasons=("BLOOD",))

    with pytest.raises(Refused, match="R3"):
        amend(case, unsatisfactory)
    with pytest.raises(Refused, match="R4"):
        amend(case, bethesda.Read(adequacy=Adequacy.SATISFACTORY, interpretations=("NILM", "HSIL")))
    with pytest.raises(Refused, match="what the report says already"):
        amend(case, LSIL)

    assert case.reports.count() == 1


def test_r18_a_correction_mends_the_report_and_the_case_and_the_trail_keeps_both_values():
    case = signed_case(collected_on=date(2026, 3, 2))
    number = case.patient.record_number

    corrected = correct(
        case, record_number="P-right", specimen_type="CONV", collected_on=date(2026, 3, 1)
    )

    mended = said(case)
    assert (mended["patient"], mended["specimen_type"], mended["collected_on"]) == (
        "P-right",
        "CONV",
        "2026-03-01",
    )
    assert (corrected.specimen_type, corrected.collected_on) == ("CONV", date(2026, 3, 1))
    event = case.events.get(action="correct")
    assert event.detail["changes"] == {
        "patient": [number, "P-right"],
        "specimen_type": ["LBC", "CONV"],
        "collected_on": ["2026-03-02", "2026-03-01"],
    }


def test_an_id_that_only_this_case_had_keeps_its_name_under_the_right_id():
    case = signed_case()
    Patient.objects.update(name="Ada")
    case.refresh_from_db()

    corrected = correct(case, record_number="P-right")

    patient = Patient.objects.get()
    assert (patient.record_number, patient.name) == ("P-right", "Ada")
    assert corrected.patient == patient


def test_a_correction_to_a_patient_known_here_names_that_patient_and_leaves_no_name_behind():
    case = signed_case()
    Patient.objects.update(name="Wrong")
    other = Patient.objects.create(laboratory=case.laboratory, record_number="P-7", name="Right")

    corrected = correct(case, record_number="p-7")

    assert corrected.patient == other
    assert [patient.name for patient in Patient.objects.all()] == ["Right"]


def test_a_patient_with_other_cases_is_not_renamed_by_a_correction():
    case = signed_case()
    make.case(Status.DRAFT, by=case.accessioned_by, patient=case.patient)
    Patient.objects.update(name="Somebody else")

    corrected = correct(case, record_number="P-new")

    assert (corrected.patient.record_number, corrected.patient.name) == ("P-new", "")
    assert Patient.objects.count() == 2


def test_a_correction_that_cannot_be_is_refused_and_changes_nothing():
    case = signed_case()

    with pytest.raises(ValidationError, match="future"):
        correct(case, collected_on=clock.now().date() + timedelta(days=2))
    with pytest.raises(Refused, match="Nothing differs"):
        correct(case)

    case.refresh_from_db()
    assert (case.collected_on, case.reports.count()) == (None, 1)


def test_r7_where_care_is_affected_somebody_must_have_been_notified():
    case = signed_case()

    for told in ({}, {"notified": "Dr. Gyn"}, {"notified_at": clock.now()}):
        with pytest.raises(Refused, match="notified"):
            amend(case, affects_care=True, **told)
    at = clock.now()
    amend(case, affects_care=True, notified="Dr. Gyn, gynaecologist", notified_at=at)

    kept = said(case)["change"]
    assert (kept["affects_care"], kept["notified"]) == (True, "Dr. Gyn, gynaecologist")
    assert kept["notified_at"] == at.isoformat()
    assert case.events.get(action="amend").detail["notified"] == "Dr. Gyn, gynaecologist"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reason": "x" * 1001}, "longer than 1000"),
        ({"reason": "a\0b"}, "cannot be stored"),
        ({"notified_at": timezone.now()}, "Say who was notified"),
        ({"notified": "Dr. Gyn", "notified_at": timezone.now() + timedelta(days=1)}, "future"),
        ({"notified": "x" * 201}, "longer than 200"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(fields, sentence):
    case = signed_case()

    with pytest.raises(Refused, match=sentence):
        addend(case, **fields)

    assert case.reports.count() == 1


@pytest.mark.parametrize("verb", MAKE)
def test_a_stale_page_cannot_supersede_a_version_that_it_has_not_seen(verb):
    case = signed_case()
    addend(case)

    with pytest.raises(StaleReport, match="Version 2 of the report was issued meanwhile"):
        MAKE[verb](case, supersedes=1)

    assert case.reports.count() == 2


@pytest.mark.parametrize("verb", MAKE)
def test_r19_only_a_pathologist_of_the_laboratory_changes_a_report(verb):
    case = signed_case()
    others = [
        case.accessioned_by,
        make.administrator(laboratory=case.laboratory),
        make.pathologist(),
    ]

    for user in others:
        with pytest.raises(PermissionDenied):
            MAKE[verb](case, by=user)

    assert case.reports.count() == 1


@pytest.mark.parametrize("whose", ["another's", "old"])
def test_r15_a_change_needs_the_signers_own_and_fresh_password(whose):
    case = signed_case()
    user = case.reviewer
    given = (
        proof(make.pathologist()) if whose == "another's" else proof(user, age=timedelta(minutes=3))
    )

    with pytest.raises(PermissionDenied, match="password"):
        workflow.addend(case, user, change(), "More.", given)

    assert case.reports.count() == 1


@pytest.mark.parametrize("verb", MAKE)
def test_r19_a_case_that_is_not_signed_has_no_report_to_change(verb):
    case = make.case(Status.REVIEWING, images=1)

    with pytest.raises(InvalidTransition, match="report of a case that is in review"):
        MAKE[verb](case)


def test_r16_no_version_is_made_from_a_report_that_no_longer_says_what_was_signed():
    case = signed_case()
    rewrite(case.reports.get(), "NILM", "HSIL")

    with pytest.raises(Refused, match="does not match its digest"):
        addend(case)

    assert case.reports.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_changes_at_once_one_is_a_version_and_the_other_is_told():
    case = signed_case()

    answers = at_once([lambda: addend(case), lambda: amend(case)], (StaleReport,))

    assert sorted(answers) == ["StaleReport", "done"]
    assert [report.version for report in case.reports.all()] == [1, 2]


def test_r12_the_database_writes_a_version_once_and_knows_the_first_from_its_changes():
    case = signed_case()
    report = case.reports.get()

    assert report.read == NILM.to_json()
    elsewhere = make.case(Status.SIGNED)
    refuse_forgery(report, "after_the_first", case=elsewhere, version=1, kind="addendum")
    refuse_forgery(report, "after_the_first", case=elsewhere, version=2, kind="original")
    refuse_forgery(report, "written_once", case=case, version=1, kind="original")
    with pytest.raises(DatabaseError), transaction.atomic():
        rewrite(report, "{", "")


def refuse_forgery(report, constraint, **fields):
    """The database refuses a copy of a report with these facts."""
    copy = Report(
        content=report.content,
        digest=report.digest,
        signed_by=report.signed_by,
        signed_at=report.signed_at,
        **fields,
    )
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        copy.save()


def test_r13_nothing_of_a_released_case_is_deleted():
    case = signed_case()
    addend(case)
    kept = [case, case.patient, *case.images.all(), *case.reviews.all(), *case.runs.all()]

    for row in (*kept, case.reviewer, case.laboratory):
        with pytest.raises(ProtectedError):
            row.delete()
    for rows in (case.reports.all(), case.events.all()):
        with (
            pytest.raises(DatabaseError, match=r"never rewritten|append-only"),
            transaction.atomic(),
        ):
            rows.delete()

    workflow.sweep()
    for image in case.images.all():
        assert storage.open_image(case.laboratory_id, image.digest)


# ── The pictures ─────────────────────────────────────────────────────────────────────────────────


def picture_digests(case):
    return said(case)["pictures"]


def mixed_case():
    case = make.case(Status.REVIEWING, images=3)
    one, two, three = case.images.all()
    make.finding(case, one, CellClass.KOILOCYTOTIC)
    make.finding(case, two, CellClass.PARABASAL)
    make.finding(case, three, exclusion="Out of focus")
    return case, (one, two, three)


def test_a_report_shows_the_abnormal_cells_unless_the_signer_chooses_others():
    case, (one, two, _) = mixed_case()
    by_itself, _ = mixed_case()

    workflow.sign(case, case.reviewer, LSIL, proof(case.reviewer), [two.pk])
    signed = workflow.sign(by_itself, by_itself.reviewer, LSIL, proof(by_itself.reviewer))

    assert picture_digests(case) == [two.digest]
    assert picture_digests(signed) == [one.digest]  # the same picture in both cases


def test_pictures_of_another_case_and_too_many_are_refused():
    case, _ = mixed_case()
    stranger = make.case(Status.REVIEWING, images=1).images.get()
    many = make.case(Status.REVIEWING, images=13)

    with pytest.raises(Refused, match="not in the case"):
        workflow.sign(case, case.reviewer, LSIL, proof(case.reviewer), [stranger.pk])
    for image in many.images.all():
        make.finding(many, image)
    chosen = [image.pk for image in many.images.all()]
    with pytest.raises(Refused, match="at most 12"):
        workflow.sign(many, many.reviewer, LSIL, proof(many.reviewer), chosen)
