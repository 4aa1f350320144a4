"""The nightly check of a laboratory's records: what it records, and what administrators see."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import events
from accounts.chain import digest_of
from accounts.models import Laboratory
from cases import audit, integrity, tasks
from config.celery import app
from tests import make
from tests.tampering import tamper, without_triggers

CHECK_ALL = "cases.check_all_records"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def administrator():
    return make.administrator()


def viewed(laboratory, times=1):
    """A case whose events are in the chain."""
    case = make.case(by=make.cytotechnologist(laboratory=laboratory))
    for _ in range(times):
        audit.record(case, case.accessioned_by, "accession")
    return case


def test_r18_a_check_is_an_event_that_says_what_it_looked_at(administrator):
    viewed(administrator.laboratory, times=2)

    recorded = integrity.check(administrator.laboratory)

    assert events.sentence(recorded) == (
        "The records were checked, 2 events, 0 reports, 0 pictures: everything is whole"
    )
    assert integrity.alarm(administrator.laboratory) == ""


def test_r18_a_check_names_what_was_tampered_with(administrator, client):
    case = viewed(administrator.laboratory)
    tamper("UPDATE cases_auditevent SET action = 'forged'")

    integrity.check(administrator.laboratory)

    client.force_login(administrator)
    page = client.get("/laboratory/records/").text
    assert f"Event 1 of the chain of cases of {case.laboratory} (“forged” for {case}" in page
    assert "The last check of the records found 1 break." in page
    assert "The last check of the records found 1 break." in client.get("/cases/").text


def test_of_very_many_breaks_a_hundred_are_named_and_the_rest_counted(administrator, client):
    case = viewed(administrator.laboratory)
    for seed in range(integrity.NAMED + 2):  # no event tells of their upload
        make.image(case, content=make.cell_picture(seed=seed))

    recorded = integrity.check(administrator.laboratory)

    assert len(recorded.detail["breaks"]) == integrity.NAMED
    client.force_login(administrator)
    assert "And 2 more" in client.get("/laboratory/records/").text


def test_r18_a_chain_of_cases_written_anew_with_its_head_does_not_fit_an_earlier_check(
    administrator,
):
    laboratory = administrator.laboratory
    case = viewed(laboratory)
    integrity.check(laboratory)
    [walk, _] = integrity.walks(laboratory)
    [row] = walk.rows(1)
    forged = digest_of(row | {"action": "forged"}, walk.columns)
    with without_triggers() as cursor:
        cursor.execute("UPDATE cases_auditevent SET action = 'forged', digest = %s", [forged])
        cursor.execute("UPDATE accounts_chainhead SET digest = %s WHERE chain = 'cases'", [forged])

    integrity.check(laboratory)
    again = integrity.check(laboratory)  # the head that this one finds is that of the last one

    [sentence] = again.detail["breaks"]
    assert sentence.startswith(
        f"Event 1 of the chain of cases of {laboratory} (“forged” for {case}"
    )
    assert sentence.endswith("a head kept elsewhere names: the chain was rewritten.")


def test_a_laboratory_without_a_case_is_whole(administrator):
    integrity.check(administrator.laboratory)

    assert integrity.check(administrator.laboratory).detail["broken"] == 0


def test_each_laboratory_has_checks_of_its_own(administrator, client):
    theirs = make.administrator()
    viewed(theirs.laboratory)
    tamper("UPDATE cases_auditevent SET action = 'forged'")

    integrity.check(theirs.laboratory)
    integrity.check(administrator.laboratory)

    client.force_login(administrator)
    page = client.get("/laboratory/records/").text
    assert "everything is whole" in page
    assert "forged" not in page


def test_a_clock_that_stands_still_is_noticed(administrator, client):
    days_ago = timezone.now() - timedelta(days=3, hours=1)
    Laboratory.objects.update(created_at=days_ago)
    client.force_login(administrator)
    said = "The records were not checked for 3 days: are worker and clock running?"
    assert said in client.get("/cases/").text

    integrity.check(administrator.laboratory)

    assert "were not checked" not in client.get("/cases/").text


@pytest.mark.parametrize("role", ["cytotechnologist", "pathologist"])
def test_only_administrators_are_alarmed(role, client):
    person = make.user(role)
    viewed(person.laboratory)
    tamper("UPDATE cases_auditevent SET action = 'forged'")
    integrity.check(person.laboratory)
    client.force_login(person)

    assert "The last check" not in client.get("/cases/").text


def test_the_nightly_checks_do_not_hide_what_changed_about_accounts(administrator):
    integrity.check(administrator.laboratory)

    assert not events.recent(administrator.laboratory, "changes")
    assert len(events.recent(administrator.laboratory)) == 1


def test_the_clock_asks_for_a_check_every_night():
    [entry] = [one for one in app.conf.beat_schedule.values() if one["task"] == CHECK_ALL]

    assert entry["schedule"].hour == {2}
    assert entry["schedule"].is_due(timezone.now() - timedelta(days=1)).is_due


def checked(laboratory, times):
    """Wait until a worker has checked a laboratory so often."""
    deadline = time.monotonic() + 60
    while integrity.checks(laboratory).count() < times:
        assert time.monotonic() < deadline, "no worker has checked the records"
        time.sleep(0.1)


@pytest.mark.django_db(transaction=True)
def test_a_worker_checks_each_laboratory_every_night_and_when_an_administrator_asks(
    administrator, client, worker
):
    client.force_login(administrator)
    assert "No check has been made yet." in client.get("/laboratory/records/").text
    theirs = make.laboratory()

    tasks.check_all_records()

    checked(administrator.laboratory, 1)
    checked(theirs, 1)
    answer = client.post("/laboratory/records/check/", follow=True)
    assert "The check is under way." in answer.text
    checked(administrator.laboratory, 2)
    assert client.get("/laboratory/records/").text.count("everything is whole") == 3
