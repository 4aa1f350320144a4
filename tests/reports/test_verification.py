"""The page that verifies a report on paper: for everybody, and without a word too much."""

import pytest
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from reports import printed
from tests import make
from tests.reports import world

pytestmark = pytest.mark.django_db


def ask(client, accession, digest):
    return client.get(reverse("report-verify"), {"accession": accession, "digest": digest})


def standing(answer):
    return answer.context["verdict"].standing


def test_a_report_in_force_is_valid_and_a_stranger_learns_no_more(client):
    case = world.signed()

    answer = ask(client, case.accession_number.lower(), f" {case.reports.get().digest.upper()} ")

    assert standing(answer) == "valid"
    assertContains(answer, "It is in force.")
    for secret in ("P-4037", "Ada", "LSIL", "Okoye", case.laboratory.name, str(case.pk)):
        assertNotContains(answer, secret)
    assertContains(answer, "Research and education only, not for diagnosis.")
    assert answer["X-Robots-Tag"] == "noindex"
    assert "no-store" in answer["Cache-Control"]


def test_r12_a_superseded_version_names_the_one_in_force(client):
    case = world.amended(world.signed())

    answer = ask(client, case.accession_number, case.reports.first().digest)

    assert standing(answer) == "superseded"
    assertContains(answer, "is superseded by version 2")


def test_r16_a_stored_report_that_no_longer_matches_its_digest_is_altered(client):
    case = world.signed()
    world.rewrite(case.reports.get(), "LSIL", "NILM")

    answer = ask(client, case.accession_number, case.reports.get().digest)

    assert standing(answer) == "altered"
    assertContains(answer, "Do not rely on it")


def test_a_stranger_cannot_tell_a_number_that_exists_from_one_that_does_not(client):
    case = world.signed()
    digest = case.reports.get().digest

    there = ask(client, case.accession_number, "0" * 64)
    nowhere = ask(client, "X-00000", digest)

    assert (standing(there), standing(nowhere)) == ("unknown", "unknown")
    assert said(there).replace(case.accession_number, "").replace("0" * 64, "") == said(
        nowhere
    ).replace("X-00000", "").replace(digest, "")


def said(answer):
    page = answer.content.decode()
    return page[page.index("<main") :]


def test_people_of_the_laboratory_are_led_to_the_report(client):
    case = world.amended(world.signed())
    client.force_login(make.administrator(laboratory=case.laboratory))

    own = ask(client, case.accession_number, case.reports.first().digest)
    forged = ask(client, case.accession_number, "0" * 64)

    assertContains(own, reverse("case-report-version", args=[case.pk, 1]))
    assert standing(forged) == "other"
    assertContains(forged, "no version of it has this digest")


def test_people_of_another_laboratory_are_strangers(client):
    case = world.signed()
    client.force_login(make.pathologist())

    valid = ask(client, case.accession_number, case.reports.get().digest)
    unknown = ask(client, case.accession_number, "0" * 64)

    assert (standing(valid), standing(unknown)) == ("valid", "unknown")
    assertNotContains(valid, str(case.pk))


@pytest.mark.parametrize(
    "asked", [{}, {"accession": "A-1"}, {"digest": "a\0b"}, {"accession": "\0"}]
)
def test_without_both_the_page_asks_for_them(client, asked):
    answer = client.get(reverse("report-verify"), asked)

    assertContains(answer, "<form", status_code=200)
    assert answer.context["verdict"] is None


def test_the_address_in_the_qr_code_is_this_page(client):
    case = world.signed()
    client.force_login(case.reviewer)

    asked = client.get(reverse("report-verify")).wsgi_request
    address = printed.verify_at(asked, case, case.reports.get())

    assert standing(client.get(address)) == "valid"
