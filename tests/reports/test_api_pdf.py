"""The signed PDF over the API: the same bytes as the page's, and the same refusals."""

import pytest
from django.urls import reverse

from tests import make
from tests.cases.api import as_person, with_token
from tests.reports import world
from tests.reports.test_pdf import words

pytestmark = pytest.mark.django_db


def fetch(case, by=None, **asked):
    address = reverse("api-case-report-pdf", args=[case.pk])
    return as_person(by or case.reviewer).get(address, asked)


def test_the_version_in_force_is_the_one_of_the_page_byte_for_byte(client):
    case = world.signed()
    world.amended(case)
    client.force_login(case.reviewer)

    answer = fetch(case)

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert f'filename="{case.accession_number} v2.pdf"' in answer["Content-Disposition"]
    assert answer.content == client.get(reverse("report-pdf", args=[case.pk, 2])).content


def test_r12_an_earlier_version_says_that_it_is_superseded():
    case = world.signed()
    world.amended(case)

    text = words(fetch(case, version=1).content)

    assert "SUPERSEDED BY VERSION 2" in text


def test_a_token_may_ask_for_a_pdf_by_its_media_type():
    case = world.signed()
    client = with_token(case.reviewer)
    client.credentials(**client._credentials, HTTP_ACCEPT="application/pdf")  # noqa: SLF001 -- of the test client

    answer = client.get(reverse("api-case-report-pdf", args=[case.pk]))
    refused = client.get(reverse("api-case-report-pdf", args=[case.pk]), {"version": 9})

    assert answer.content.startswith(b"%PDF-")
    assert (refused.status_code, refused["Content-Type"]) == (404, "application/json")
    assert refused.json() == {"detail": "There is no such version."}


@pytest.mark.parametrize("version", ["0", "3", "-1", "one", "99999", "²", "1\0"])
def test_a_version_that_there_is_not_is_not_found(version):
    assert fetch(world.signed(), version=version).status_code == 404


def test_what_is_not_signed_has_no_pdf():
    answer = fetch(make.case("reviewing", images=1))

    assert (answer.status_code, answer.json()) == (404, {"detail": "The case is not signed."})


def test_r16_a_report_that_no_longer_matches_its_digest_is_refused_in_words():
    case = world.signed()
    world.rewrite(case.reports.get(), "LSIL", "NILM")

    answer = fetch(case)

    assert answer.status_code == 409
    assert "does not match" in answer.json()["detail"]
    assert not case.events.filter(action="export").exists()


def test_r18_each_export_is_an_event_and_an_administrator_gets_the_pseudonym_alone():
    case = world.signed()
    administrator = make.administrator(laboratory=case.laboratory)

    text = words(fetch(case, administrator).content)

    assert "Ada Lovelace" not in text
    [event] = case.events.filter(action="export")
    assert (event.actor, event.detail) == (
        administrator,
        {"form": "PDF", "version": 1, "identified": False},
    )


def test_r18_the_event_says_with_a_name_only_where_there_is_one_on_the_paper():
    case = world.signed()
    world.corrected(case, record_number="P-5000")

    fetch(case, version=1)
    fetch(case)

    told = [event.detail["identified"] for event in case.events.filter(action="export")]
    assert told == [False, True]
