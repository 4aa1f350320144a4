"""Who looked at a case and who took something away: events too, few of them, seen by few (R18)."""

from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.models import Role
from cases import audit, clock
from cases.models import AuditEvent, Case
from tests import make
from tests.make_accounts import PASSWORD

pytestmark = pytest.mark.django_db

SEEN = ["case-detail", "case-trail", "case-sign", "cell", "image", "api-case-detail"]
SEEN += ["api-case-trail", "api-case-activation", "cell-details", "cell-similar"]


def address(name, case):
    named = {"case_id": case.pk}
    if name in ("cell", "cell-details", "cell-similar", "image", "api-case-activation"):
        named["image_id"] = case.images.first().pk
    place = name.removesuffix("-details")
    return reverse(place, kwargs=named) + ("?part=details" if name != place else "")


def views_of(case):
    return [event.actor for event in case.events.filter(action="view")]


@pytest.fixture
def case():
    return make.case(Case.Status.REVIEWING, images=1)


@pytest.mark.parametrize("name", SEEN)
def test_r18_whoever_sees_a_case_leaves_an_event(client, case, name):
    client.force_login(case.reviewer)

    assert client.get(address(name, case)).status_code == 200

    assert views_of(case) == [case.reviewer]


def test_r18_the_report_is_a_view_too(client):
    signed = make.case(Case.Status.SIGNED, images=1)
    make.report(signed)
    client.force_login(signed.reviewer)

    client.get(reverse("case-report", args=[signed.pk]))

    assert views_of(signed) == [signed.reviewer]


def test_all_that_a_person_sees_of_a_case_in_a_while_is_one_event(client, case):
    client.force_login(case.reviewer)

    for name in SEEN:
        client.get(address(name, case))

    assert len(views_of(case)) == 1


def test_r18_each_person_each_case_and_each_visit_has_an_event(case):
    colleague = make.pathologist(laboratory=case.laboratory)
    other = make.case(by=case.accessioned_by)

    for reader in (case.reviewer, colleague):
        audit.viewed(case, reader)
        audit.viewed(other, reader)
    with clock.at(clock.now() + audit.ONE_VIEW + timedelta(seconds=1)):
        audit.viewed(case, colleague)

    assert views_of(case) == [case.reviewer, colleague, colleague]
    assert views_of(other) == [case.reviewer, colleague]


def test_a_refused_stranger_leaves_no_view(client, case):
    client.force_login(make.pathologist())

    assert client.get(address("case-detail", case)).status_code == 404

    assert not AuditEvent.objects.exists()


def test_the_second_page_of_a_visit_asks_the_database_once_and_writes_nothing(
    case, django_assert_num_queries
):
    audit.viewed(case, case.reviewer)

    with django_assert_num_queries(1):
        audit.viewed(case, case.reviewer)


@pytest.mark.parametrize("role", Role.values)
def test_views_are_told_to_administrators_alone(client, case, role):
    audit.viewed(case, case.reviewer)
    audit.record(case, case.reviewer, "export", version=1, form="PDF")
    client.force_login(make.user(role, laboratory=case.laboratory))

    page = client.get(address("case-trail", case)).text
    answer = client.get(address("api-case-trail", case)).json()

    may = role == Role.ADMINISTRATOR
    assert ("Looked at the case." in page) == may
    assert ("view" in [event["action"] for event in answer["events"]]) == may
    assert "Exported version 1 of the report as PDF" in page, (
        "what was taken away is told to everybody"
    )


def test_r18_a_view_is_in_the_chain_and_its_patient_is_not(client, case):
    client.post("/login/", {"username": case.reviewer.email, "password": PASSWORD})
    client.get(address("case-detail", case))

    [event] = case.events.all()
    assert (event.sequence, event.detail) == (1, {})
