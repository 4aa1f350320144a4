"""Two who ask for one case at the same moment: neither waits for ever, a doubled form is one."""

from datetime import date
from threading import Event, Thread

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from cases import audit, workflow
from cases.models import Case, Patient
from cases.workflow.transition import locked
from tests import make
from tests.at_once import while_it_waits
from tests.make_accounts import PASSWORD
from tests.reports import world

Status = Case.Status
NILM = {"adequacy": "SAT", "interpretations": ["NILM"]}

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_looks_at_a_case_while_a_verb_changes_it_stops_neither():
    case = make.case(Status.REVIEWING, images=1)
    colleague = make.pathologist(laboratory=case.laboratory)
    looked = Event()

    def look():
        try:
            audit.viewed(case, colleague)
            looked.set()
        finally:
            connection.close()

    looking = Thread(target=look)
    with transaction.atomic():
        held = locked(case, "decide on the cells of", *Case.HELD)
        looking.start()
        looked.wait(3)
        audit.record(held, held.reviewer, "decide")
    looking.join()

    assert looked.is_set()
    assert sorted(case.events.values_list("action", flat=True)) == ["decide", "view"]


def meanwhile(case, done, address, form):
    """What the page answers to a form that waits while the same person has it done elsewhere."""

    def send():
        client = Client()
        client.force_login(case.reviewer)
        return client.post(address, form)

    return while_it_waits(send, lambda: locked(case, "sign", case.status), done)


def test_a_signature_that_is_sent_twice_leads_to_the_report_that_it_made():
    case = make.case(Status.REVIEWING, images=1)
    make.finding(case, case.images.get())

    answer = meanwhile(
        case,
        lambda: workflow.sign(case, case.reviewer, make.NILM, make.proof(case.reviewer)),
        reverse("case-sign", args=[case.pk]),
        NILM | {"password": PASSWORD},
    )

    assert answer.url == reverse("case-report", args=[case.pk])
    assert case.reports.count() == 1


def test_a_negative_that_is_signed_out_twice_leads_to_the_report_that_it_made():
    case = make.case(Status.AWAITING_SIGNATURE, images=1)
    make.reading(case.laboratory, primary_screening=True, cytotechnologists_sign=True)
    make.finding(case, case.images.get())

    answer = meanwhile(
        case,
        lambda: workflow.sign_out(case, case.reviewer, make.proof(case.reviewer)),
        reverse("case-sign-out", args=[case.pk]),
        {"password": PASSWORD},
    )

    assert answer.url == reverse("case-report", args=[case.pk])
    assert case.reports.count() == 1


def test_who_comes_second_is_told_the_name_of_who_came_first():
    case = make.case(Status.AWAITING_REVIEW, images=1)
    first, second = (make.pathologist(laboratory=case.laboratory) for _ in range(2))

    refusal = while_it_waits(
        lambda: workflow.claim(case, second),
        lambda: locked(case, "claim", case.status),
        lambda: workflow.claim(case, first),
    )

    assert isinstance(refusal, workflow.InvalidTransition)
    assert f"{first.name} holds it" in str(refusal)


def test_a_verb_that_waits_for_a_correction_finds_the_case_with_its_new_patient():
    case = world.signed()
    known = Patient.objects.create(laboratory=case.laboratory, record_number="P-5000")
    tissue = workflow.Tissue(source="biopsy", reported_on=date(2026, 1, 5), result="LSIL")

    made = while_it_waits(
        lambda: workflow.record_histology(case, case.reviewer, tissue),
        lambda: locked(case, "correct the report of", case.status),
        lambda: world.corrected(case, record_number=known.record_number),
    )

    assert made.case.patient == known


def test_an_accession_that_waits_for_an_erasure_does_not_bring_the_name_back():
    case = make.case(Status.REVIEWING, images=1)
    case.patient.name = "Rosa Beispiel"
    case.patient.save()
    administrator = make.administrator(laboratory=case.laboratory)
    number = case.patient.record_number
    given = workflow.Accession(record_number=number, specimen_type="LBC")

    made = while_it_waits(
        lambda: workflow.accession(case.accessioned_by, given),
        lambda: workflow.erase_identity(case, administrator, number, "Asked in writing."),
        lambda: None,
    )

    assert made.patient == case.patient
    assert Patient.objects.get(pk=case.patient_id).name == ""


def test_a_revision_and_an_erasure_of_the_same_patient_do_not_stop_each_other():
    case = make.case(Status.REVIEWING, images=1)
    draft = make.case(by=case.accessioned_by, patient=case.patient)
    administrator = make.administrator(laboratory=case.laboratory)
    number = case.patient.record_number
    given = workflow.Accession(
        record_number=number, specimen_type="CONV", accession_number=draft.accession_number
    )

    erased = while_it_waits(
        lambda: workflow.erase_identity(case, administrator, number, "Asked in writing."),
        lambda: locked(draft, "revise", Status.DRAFT),
        lambda: workflow.revise(draft, case.accessioned_by, given),
    )

    assert isinstance(erased, Case)


def test_a_correction_to_a_patient_who_is_just_being_registered_finds_that_patient():
    case = world.signed()
    given = workflow.Accession(record_number="P-5000", specimen_type="LBC")

    corrected = while_it_waits(
        lambda: world.corrected(case, record_number="p-5000"),
        lambda: workflow.accession(case.accessioned_by, given),
        lambda: None,
    )

    assert corrected.patient == Patient.objects.get(record_number="P-5000")
