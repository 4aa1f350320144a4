"""Two who ask for one case at the same moment: neither waits for ever, a doubled form is one."""

from threading import Event, Thread

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from cases import audit, workflow
from cases.models import Case
from cases.workflow.transition import locked
from tests import make
from tests.make_accounts import PASSWORD

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
    answers = []

    def send():
        try:
            client = Client()
            client.force_login(case.reviewer)
            answers.append(client.post(address, form))
        finally:
            connection.close()

    sending = Thread(target=send)
    with transaction.atomic():
        locked(case, "sign", case.status)
        sending.start()
        _wait_for_somebody_who_waits()
        done()
    sending.join()
    [answer] = answers
    return answer


def _wait_for_somebody_who_waits():
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with connection.cursor() as cursor:
        for _ in range(100):
            cursor.execute(waiting)
            if cursor.fetchone() != (0,):
                return
            cursor.execute("SELECT pg_sleep(0.1)")
    pytest.fail("nobody waits for the case")


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
