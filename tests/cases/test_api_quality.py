"""Look-backs, histology, reads and limits over the API: the verbs and rights of the pages."""

from datetime import timedelta

import pytest
from django.urls import reverse

from cases import clock, workload
from cases.models import AuditEvent, Case, Histology, Task, WorkloadLimit
from tests import make
from tests.cases.api import as_person, url
from tests.cases.test_api_schema import check, schema  # noqa: F401 -- a fixture

Status = Case.Status
TISSUE = {"source": "biopsy", "reported_on": "2020-01-31", "result": "BENIGN"}
API = "/api/v1/"

pytestmark = pytest.mark.django_db


def of(name, **where):
    return reverse(f"api-{name}", kwargs=where)


def signed_case(**fields):
    case = make.case(Status.SIGNED, images=1, **fields)
    make.report(case)
    return case


def look_back_at(case):
    trigger = signed_case(by=case.accessioned_by, reviewer=case.reviewer)
    return Task.objects.create(case=case, trigger=trigger)


def test_r7_look_backs_are_listed_by_state_and_answered_once(schema):  # noqa: F811
    case = signed_case()
    task = look_back_at(case)
    reader = as_person(case.reviewer)
    answered = {
        "result": "affects_care",
        "note": "Two koilocytes.",
        "notified": "Dr. Demo",
        "notified_at": clock.now().isoformat(),
    }

    before = reader.get(of("look-back-list"), {"state": "open"})
    first = reader.post(of("look-back-answer", task_id=task.pk), answered)
    second = reader.post(of("look-back-answer", task_id=task.pk), {"result": "confirmed"})
    open_now = reader.get(of("look-back-list"), {"state": "open"})
    to_amend = reader.get(of("look-back-list"), {"state": "to-amend"})

    assert [one["id"] for one in before.json()["results"]] == [task.pk]
    assert first.json()["is_to_amend"] is True
    assert first.json()["done_by"]["id"] == case.reviewer.pk
    assert (second.status_code, Task.objects.get().result) == (409, "affects_care")
    assert case.reviewer.name in second.json()["detail"]
    assert open_now.json()["results"] == []
    assert [one["id"] for one in to_amend.json()["results"]] == [task.pk]
    check(schema, to_amend, f"{API}look-backs/")
    check(schema, first, f"{API}look-backs/{{task_id}}/answer/", "post")
    assert reader.get(of("look-back-detail", task_id=task.pk)).json() == first.json()


def test_r7_an_answer_that_lacks_who_was_notified_is_refused_in_the_words_of_the_page():
    task = look_back_at(signed_case())
    reader = as_person(task.case.reviewer)

    refused = reader.post(
        of("look-back-answer", task_id=task.pk), {"result": "affects_care", "note": "Seen."}
    )

    assert refused.status_code == 409
    assert "say who, and when (R7)" in refused.json()["detail"]


def test_a_filter_that_is_not_understood_is_named():
    reader = as_person(make.pathologist())

    for name, asked in (("look-back-list", "state"), ("histology-list", "agreement")):
        answer = reader.get(of(name), {asked: "nonsense"})
        assert (answer.status_code, list(answer.json())) == (400, [asked])


def test_r8_histology_is_recorded_and_the_same_said_again_is_kept_once(schema):  # noqa: F811
    case = signed_case()
    reader = as_person(case.reviewer)

    made, again = (reader.post(url("case-histology", case), TISSUE) for _ in range(2))
    differs = reader.post(url("case-histology", case), TISSUE | {"result": "HSIL"})
    caused = reader.post(
        url("case-histology", case), TISSUE | {"result": "HSIL", "cause": "sampling"}
    )

    assert made.json() == again.json()
    assert made.json()["agreement"] == "agrees"
    assert (differs.status_code, caused.json()["agreement"]) == (409, "major")
    assert Histology.objects.count() == 2
    assert AuditEvent.objects.filter(action="record_histology").count() == 2
    of_the_case = reader.get(url("case-histology", case))
    assert [one["result"] for one in of_the_case.json()["histologies"]] == ["HSIL", "BENIGN"]
    major = reader.get(of("histology-list"), {"agreement": "major"})
    assert [one["id"] for one in major.json()["results"]] == [caused.json()["id"]]
    check(schema, made, f"{API}cases/{{case_id}}/histology/", "post")
    check(schema, of_the_case, f"{API}cases/{{case_id}}/histology/")
    check(schema, major, f"{API}histology/")


def test_a_look_at_the_histology_of_a_case_is_on_record():
    case = signed_case()

    as_person(case.reviewer).get(url("case-histology", case))

    assert [event.action for event in case.events.all()] == ["view"]


def test_r11_a_person_sees_their_own_reads_and_who_answers_for_the_laboratory_everybodys(schema):  # noqa: F811
    case = signed_case()
    person = case.reviewer
    make.case(Status.REVIEWING, reviewer=person, by=case.accessioned_by)
    administrator = make.administrator(laboratory=case.laboratory)
    colleague = make.cytotechnologist(laboratory=case.laboratory)

    own = as_person(person).get(of("reader-reads", person_id=person.pk))
    supervised = as_person(administrator).get(of("reader-reads", person_id=person.pk))
    refused = as_person(colleague).get(of("reader-reads", person_id=person.pk))
    everybody = as_person(administrator).get(of("reader-list"))

    assert own.json()["results"] == supervised.json()["results"]
    assert [(one["kind"], one["ended_at"] is None) for one in own.json()["results"]] == [
        ("review", True),
        ("review", False),
    ]
    assert refused.status_code == 403
    assert {one["id"] for one in everybody.json()["readers"]} == {
        person.pk,
        colleague.pk,
        case.accessioned_by.pk,
    }
    check(schema, own, f"{API}readers/{{person_id}}/reads/")
    check(schema, everybody, f"{API}readers/")


def test_r6_the_result_of_a_read_is_told_to_nobody_who_may_come_to_read_the_case_blind():
    laboratory = make.laboratory()
    make.reading(laboratory, primary_screening=True)
    screener = make.cytotechnologist(laboratory=laboratory)
    case = make.case(Status.SCREENING, reviewer=screener, images=1)
    make.committed(case, make.NILM, ended_at=clock.now(), read=make.NILM.to_json())
    Case.objects.filter(pk=case.pk).update(
        status=Status.AWAITING_RESCREEN, reviewer=None, held_since=None, held_until=None
    )
    address = of("reader-reads", person_id=screener.pk)

    told = {
        person.role: as_person(person).get(address).json()["results"][0]["result"]
        for person in (screener, make.pathologist(laboratory=laboratory))
    }

    assert told == {"cytotechnologist": "NILM", "pathologist": None}


def test_r9_a_limit_is_set_by_a_pathologist_below_the_ceiling_and_the_earlier_ones_are_kept(schema):  # noqa: F811
    person = make.cytotechnologist()
    pathologist = as_person(make.pathologist(laboratory=person.laboratory))
    address = of("reader-workload", person_id=person.pk)

    above = pathologist.post(address, {"hours": "4", "slides": 51})
    made = pathologist.post(address, {"hours": "4", "slides": 50})
    with clock.at(clock.now() + timedelta(days=200)):
        later = pathologist.get(of("reader-detail", person_id=person.pk))
    own = as_person(person).post(address, {"hours": "8", "slides": 100})

    assert (above.status_code, own.status_code) == (409, 403)
    assert "at most 50 slides" in above.json()["detail"]
    assert (made.json()["slides"], made.json()["is_to_be_reassessed"]) == (50, False)
    assert later.json()["is_to_be_reassessed"] is True
    assert workload.of(person).slides == 50
    assert WorkloadLimit.objects.count() == 1
    check(schema, made, f"{API}readers/{{person_id}}/workload/", "post")
