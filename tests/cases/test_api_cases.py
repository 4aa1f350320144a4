"""Accession, lists, a case whole, its trail, and the model, as a program sees them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cases import workflow
from cases.models import Case, Patient
from inference.labels import CellClass
from inference.models import ModelVersion
from tests import make
from tests.cases.api import ACCESSION, as_person, url, with_token

pytestmark = pytest.mark.django_db

Status = Case.Status
DISCLAIMER = "Research and education only, not for diagnosis."
WHOLE = ACCESSION | {
    "accession_number": "X-1",
    "patient_name": "Ada Example",
    "birth_date": "1980-02-03",
    "collected_on": "2026-01-05",
    "priority": "urgent",
    "clinical_note": "Ada has been here before.",
}
IDENTITY = {"name": "Ada Example", "birth_date": "1980-02-03", "higher_risk": False}


# ── Accession ────────────────────────────────────────────────────────────────────────────────────


def test_an_accession_is_a_draft_with_everything_that_was_said():
    cytotechnologist = make.cytotechnologist()

    answer = with_token(cytotechnologist).post(url("case-list"), WHOLE)

    assert answer.status_code == 201
    told = answer.json()
    case = Case.objects.get()
    assert told["id"] == str(case.pk)
    assert (told["accession_number"], told["status"], told["priority"]) == (
        "X-1",
        "draft",
        "urgent",
    )
    assert told["patient"] == {"record_number": "P-77"} | IDENTITY
    assert told["clinical_note"] == "Ada has been here before."
    assert told["accessioned_by"] == {
        "id": cytotechnologist.pk,
        "name": cytotechnologist.name,
        "role": "cytotechnologist",
    }
    assert (told["images"], told["predictions"], told["findings"], told["report"]) == (
        [],
        [],
        [],
        None,
    )
    assert told["disclaimer"] == DISCLAIMER
    assert [event.action for event in case.events.all()] == ["accession"]


def test_an_accession_without_a_number_gets_the_next_one():
    client = as_person(make.cytotechnologist())

    numbers = [client.post(url("case-list"), ACCESSION).json()["accession_number"] for _ in "ab"]

    year = f"{timezone.now():%y}"
    assert numbers == [f"C{year}-00001", f"C{year}-00002"]


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({}, {"record_number", "specimen_type"}),
        (ACCESSION | {"specimen_type": "BLOOD"}, {"specimen_type"}),
        (ACCESSION | {"record_number": "x" * 41}, {"record_number"}),
        (ACCESSION | {"record_number": "P\u0000"}, {"record_number"}),
        (ACCESSION | {"birth_date": "yesterday"}, {"birth_date"}),
        (ACCESSION | {"collected_on": "2999-01-01"}, {"collected_on"}),
        (ACCESSION | {"accession_number": "TAKEN"}, {"accession_number"}),
        ([ACCESSION], {"non_field_errors"}),
    ],
    ids=["nothing", "type", "long", "null", "date", "future", "taken", "list"],
)
def test_an_accession_that_cannot_be_stored_names_its_fields(sent, fields):
    cytotechnologist = make.cytotechnologist()
    make.case(by=cytotechnologist, accession_number="taken")

    answer = as_person(cytotechnologist).post(url("case-list"), sent)

    assert answer.status_code == 400
    assert set(answer.json()) == fields
    assert Case.objects.count() == 1


def test_a_body_larger_than_a_form_may_be_is_refused_unread(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    answer = as_person(make.cytotechnologist()).post(
        url("case-list"), ACCESSION | {"clinical_note": "x" * 200}
    )

    assert answer.status_code == 413
    assert answer.json()["detail"].startswith("The request carries more than is allowed")


def test_a_body_that_is_no_json_is_refused():
    client = as_person(make.cytotechnologist())

    broken = client.post(url("case-list"), b"{", content_type="application/json")
    other = client.post(url("case-list"), b"<case/>", content_type="application/xml")

    assert (broken.status_code, other.status_code) == (400, 415)


# ── Revision ─────────────────────────────────────────────────────────────────────────────────────


def drafted(**changes):
    cytotechnologist = make.cytotechnologist()
    given = {"record_number": "P-77", "specimen_type": "LBC"} | changes
    return workflow.accession(cytotechnologist, workflow.Accession(**given))


def test_a_revision_changes_what_was_sent_and_nothing_else():
    case = drafted(patient_name="Ada Example", clinical_note="A note.")

    answer = as_person(case.accessioned_by).patch(url("case-detail", case), {"priority": "urgent"})

    assert answer.status_code == 200
    told = answer.json()
    assert (told["priority"], told["clinical_note"]) == ("urgent", "A note.")
    assert told["patient"]["name"] == "Ada Example"
    assert told["accession_number"] == case.accession_number
    assert case.events.last().detail == {"changes": {"priority": ["routine", "urgent"]}}


def test_a_revision_to_another_patient_does_not_take_name_or_risk_along():
    case = drafted(patient_name="Ada Example", birth_date=date(1980, 2, 3), higher_risk=True)
    Patient.objects.create(laboratory=case.laboratory, record_number="P-78", name="Bea Example")

    answer = as_person(case.accessioned_by).patch(
        url("case-detail", case), {"record_number": "P-78"}
    )

    assert answer.json()["patient"] == {
        "record_number": "P-78",
        "name": "Bea Example",
        "birth_date": None,
        "higher_risk": False,
    }
    assert not Patient.objects.filter(record_number="P-77").exists(), "no name without a case"


def test_a_revision_of_a_submitted_case_is_refused_in_the_pages_words():
    case = make.case(Status.QUEUED)

    answer = as_person(case.accessioned_by).patch(url("case-detail", case), {"priority": "urgent"})

    assert answer.status_code == 409
    assert answer.json() == {"detail": "Cannot revise a case that is queued."}


# ── Lists ────────────────────────────────────────────────────────────────────────────────────────


def numbers(client, **filters):
    answer = client.get(url("case-list"), filters)
    assert answer.status_code == 200, answer.content
    assert answer.json()["disclaimer"] == DISCLAIMER
    return [row["accession_number"] for row in answer.json()["results"]]


def test_a_list_is_filtered_by_what_the_worklist_knows():
    laboratory = make.laboratory()
    cytotechnologist = make.cytotechnologist(laboratory=laboratory)
    pathologist = make.pathologist(laboratory=laboratory)
    overdue = {"due_in": timedelta(days=-1)}
    make.case(by=cytotechnologist, accession_number="DRAFT-1")
    make.case(Status.QUEUED, by=cytotechnologist, accession_number="Q-1", priority="urgent")
    make.case(Status.REVIEWING, reviewer=pathologist, accession_number="R-1", **overdue)
    make.case(Status.SIGNED, reviewer=pathologist, accession_number="S-1", **overdue)
    technologist, reader = as_person(cytotechnologist), as_person(pathologist)

    assert sorted(numbers(reader)) == ["DRAFT-1", "Q-1", "R-1", "S-1"]
    assert numbers(reader, status="signed") == ["S-1"]
    assert numbers(reader, priority="urgent") == ["Q-1"]
    assert numbers(reader, search="draft") == ["DRAFT-1"]
    assert numbers(reader, search="draft", status="signed") == []
    assert numbers(reader, overdue="true") == ["R-1"]
    assert sorted(numbers(reader, overdue="false")) == ["DRAFT-1", "Q-1", "S-1"]
    assert numbers(reader, mine="true") == ["R-1"]
    assert numbers(technologist, mine="true") == numbers(technologist, mine="1") == ["DRAFT-1"]
    assert sorted(numbers(technologist, mine="false")) == ["Q-1", "R-1", "S-1"]


def test_a_search_finds_a_patient_by_the_whole_id():
    case = make.case()
    record_number = case.patient.record_number

    found = numbers(as_person(case.accessioned_by), search=f" {record_number} ")
    part = numbers(as_person(case.accessioned_by), search=record_number[:-1])

    assert (found, part) == ([case.accession_number], [])


def test_days_are_those_of_the_laboratory_whoever_asks():
    laboratory = make.laboratory(time_zone="Pacific/Auckland")  # the 2nd begins there at 11:00 UTC
    cytotechnologist = make.cytotechnologist(laboratory=laboratory)
    for hour, number in ((10, "FIRST"), (12, "SECOND")):
        at = datetime(2026, 1, 1, hour, tzinfo=UTC)
        make.case(by=cytotechnologist, accession_number=number, accessioned_at=at)
    signed = make.case(Status.SIGNED, by=cytotechnologist, accession_number="SIGNED")
    Case.objects.filter(pk=signed.pk).update(
        accessioned_at="2026-01-05T00:00Z", signed_at=datetime(2026, 1, 7, 12, tzinfo=UTC)
    )

    for client in (as_person(cytotechnologist), with_token(cytotechnologist)):
        assert numbers(client, accessioned_to="2026-01-01") == ["FIRST"]
        assert numbers(client, accessioned_from="2026-01-02", accessioned_to="2026-01-02") == [
            "SECOND"
        ]
        assert numbers(client, signed_from="2026-01-08", signed_to="2026-01-08") == ["SIGNED"]
        assert numbers(client, signed_to="2026-01-07") == []


@pytest.mark.parametrize(
    "filters",
    [
        {"status": "lost"},
        {"priority": "whenever"},
        {"accessioned_from": "tomorrow"},
        {"signed_to": "9999-12-31"},
        {"signed_from": "0001-01-01"},
        {"search": "\u0000"},
        {"mine": "maybe"},
        {"overdue": "2"},
    ],
    ids=str,
)
def test_a_filter_that_is_not_understood_is_named(filters):
    answer = as_person(make.pathologist()).get(url("case-list"), filters)

    assert answer.status_code == 400
    assert set(answer.json()) == set(filters)


def test_a_list_tells_the_pseudonym_and_never_the_name():
    case = drafted(patient_name="Ada Example", birth_date=date(1980, 2, 3), clinical_note="Ada.")

    answer = as_person(case.accessioned_by).get(url("case-list"))

    assert answer.json()["results"][0]["patient"] == {"record_number": "P-77"}
    assert "Ada" not in answer.content.decode()


def test_a_list_turned_while_cases_are_added_repeats_and_misses_none():
    cytotechnologist = make.cytotechnologist()
    before = {make.case(by=cytotechnologist).accession_number for _ in range(7)}
    client = as_person(cytotechnologist)
    seen = []
    address = url("case-list") + "?page_size=2"

    while address:
        page = client.get(address).json()
        seen += [row["accession_number"] for row in page["results"]]
        make.case(by=cytotechnologist)
        address = page["next"]

    assert len(seen) == len(set(seen))
    assert set(seen) == before


@pytest.mark.parametrize(
    ("filters", "order"),
    [
        ({}, ["NEW", "OLD"]),
        ({"status": "draft"}, ["OLD", "NEW"]),
        ({"mine": "true"}, ["OLD", "NEW"]),
        ({"search": "W"}, ["NEW"]),
    ],
    ids=str,
)
def test_a_list_is_newest_first_and_a_state_by_what_is_due(filters, order):
    cytotechnologist = make.cytotechnologist()
    make.case(by=cytotechnologist, accession_number="OLD", due_in=timedelta(days=1))
    make.case(by=cytotechnologist, accession_number="NEW", due_in=timedelta(days=2))

    assert numbers(as_person(cytotechnologist), **filters) == order


def count_queries(client, address):
    client.get(address)  # the first request of a session notes that its person is there
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


@pytest.mark.parametrize("filters", ["", "?mine=true", "?status=reviewing&search=T-"])
def test_a_list_of_three_costs_as_many_queries_as_a_list_of_one(filters):
    pathologist = make.pathologist()
    client = as_person(pathologist)
    make.case(Status.REVIEWING, reviewer=pathologist, images=1)
    one = count_queries(client, url("case-list") + filters)
    for _ in range(2):
        make.case(Status.REVIEWING, reviewer=pathologist, images=2)

    three = count_queries(client, url("case-list") + filters)

    assert three == one


# ── A case whole ─────────────────────────────────────────────────────────────────────────────────


def signed_case(images, reviewer=None):
    case = make.case(Status.SIGNED, images=images, reviewer=reviewer)
    for image in case.images.all():
        make.finding(case, image)
    return case


@pytest.mark.parametrize("make_case", [signed_case, lambda n: make.case(images=n)])
def test_a_case_of_three_images_and_runs_costs_as_many_queries_as_a_case_of_one(make_case):
    one, three = make_case(1), make_case(3)
    for case, runs in ((one, 1), (three, 3)):
        for _ in range(runs):
            make.run(case, "failed")

    counts = [
        count_queries(as_person(case.accessioned_by), url("case-detail", case))
        for case in (one, three)
    ]

    assert counts[0] == counts[1]


def test_a_case_tells_every_probability_and_which_model_gave_it():
    case = make.case(Status.AWAITING_REVIEW, images=1)
    image = case.images.get()
    version = ModelVersion.objects.get()

    told = with_token(case.accessioned_by).get(url("case-detail", case)).json()

    [prediction] = told["predictions"]
    assert prediction["image"] == str(image.pk)
    assert prediction["cell_class"] == "Parabasal"
    assert prediction["probabilities"] == {
        cell_class.value: 0.8 if cell_class == CellClass.PARABASAL else 0.05
        for cell_class in CellClass
    }
    model = {
        "name": version.name,
        "digest": version.digest,
        "preprocessing_version": version.preprocessing_version,
    }
    assert prediction["model_version"] == model
    [run] = told["runs"]
    assert (run["status"], run["attempt"], run["model_version"]) == ("done", 1, model)
    assert told["progress"] == {"images": 1, "answered": 1, "failed": 0}


def test_the_pictures_of_a_case_are_the_pages_addresses(settings):
    case = make.case(images=1)
    client = as_person(case.accessioned_by)

    [image] = client.get(url("case-detail", case)).json()["images"]

    for address, kind in ((image["picture"], "image/png"), (image["thumbnail"], "image/webp")):
        assert address.startswith("http://testserver/cases/")
        picture = client.get(address)
        assert (picture.status_code, picture["Content-Type"]) == (200, kind)


def test_an_image_that_the_last_run_could_not_read_says_why():
    case = make.case(Status.CLASSIFYING, images=2)
    run = make.run(case, "running")
    answered, unread = case.images.all()
    workflow.advance(
        run,
        [
            workflow.Answer(answered.pk, probabilities=(0.2,) * 5),
            workflow.Answer(unread.pk, failure="The stored file is damaged."),
        ],
    )
    workflow.record(run)

    told = as_person(case.accessioned_by).get(url("case-detail", case)).json()

    assert told["failures"] == [{"image": str(unread.pk), "reason": "The stored file is damaged."}]
    assert [prediction["image"] for prediction in told["predictions"]] == [str(answered.pk)]
    assert told["progress"] == {"images": 2, "answered": 1, "failed": 1}


def test_r24_an_abstention_is_told_without_a_class_and_with_the_numbers_behind_it():
    case = make.case(Status.REVIEWING, images=2)
    sure, unsure = case.images.all()
    make.abstain(case, unsure, familiarity=None)
    for image in (sure, unsure):
        make.finding(case, image, CellClass.PARABASAL)

    told = as_person(case.reviewer).get(url("case-detail", case)).json()

    said = {prediction["image"]: prediction for prediction in told["predictions"]}
    known, doubtful = said[str(sure.pk)], said[str(unsure.pk)]
    assert (known["cell_class"], known["abstained"], known["reasons"]) == ("Parabasal", False, [])
    assert (known["prediction_set"], known["familiarity"]) == (["Parabasal"], 0.62)
    assert (doubtful["cell_class"], doubtful["abstained"]) == (None, True)
    assert doubtful["reasons"] == ["It cannot tell Metaplastic from Parabasal."]
    assert doubtful["prediction_set"] == ["Metaplastic", "Parabasal"]
    assert (doubtful["familiarity"], doubtful["probabilities"]["Parabasal"]) == (None, 0.8)
    assert {f["image"]: f["agrees"] for f in told["findings"]} == {
        str(sure.pk): True,
        str(unsure.pk): None,
    }
    assert not {"activation_maps", "features"} & set(known)


def test_r25_with_each_answer_its_version_its_level_and_all_probabilities_are_told():
    case = make.case(Status.QUEUED, images=1)
    run = make.run(case, "done")
    make.prediction(run, case.images.get(), CellClass.PARABASAL, level=0.9, threshold=0.7)
    Case.objects.update(status=Status.AWAITING_REVIEW)

    told = as_person(case.accessioned_by).get(url("case-detail", case)).json()

    [answer] = told["predictions"]
    version = make.model_version()
    assert answer["model_version"] == {
        "name": version.name,
        "digest": version.digest,
        "preprocessing_version": version.preprocessing_version,
    }
    assert answer["level"] == 0.9
    assert answer["probabilities"] == {
        one: 0.8 if one == CellClass.PARABASAL else 0.05 for one in CellClass
    }


def test_the_activation_of_an_image_is_told_at_an_address_of_its_own():
    case = make.case(Status.AWAITING_REVIEW, images=1)
    client = as_person(case.accessioned_by)
    image = case.images.get()

    told = client.get(url("case-activation", case, image.pk)).json()
    image.predictions.update(activation_maps=None)
    without = client.get(url("case-activation", case, image.pk))
    of_another = client.get(url("case-activation", case, make.case(images=1).images.get().pk))

    assert told["image"] == str(image.pk)
    assert told["maps"]["Parabasal"][2] == [-0.25, -0.25, -0.25, -0.25, 2.0, -0.25]
    assert (told["strongest"], told["disclaimer"]) == (2.0, DISCLAIMER)
    assert without.status_code == of_another.status_code == 404
    assert without.json() == {"detail": "No activation map was kept of this image."}


def test_a_newer_model_is_asked_once_and_the_refusal_is_the_verbs():
    case = make.case(Status.AWAITING_REVIEW, images=1)
    client = as_person(case.accessioned_by)

    early = client.post(url("case-reclassify", case))
    newer = make.newer_model_version()
    asked = client.post(url("case-reclassify", case))

    assert early.status_code == 409
    assert early.json()["detail"].endswith("has answered this case already.")
    assert (asked.status_code, asked.json()["status"]) == (200, "queued")
    assert asked.json()["runs"][-1]["model_version"]["name"] == newer.name


@pytest.mark.parametrize(
    ("person", "sees"),
    [(make.cytotechnologist, True), (make.pathologist, True), (make.administrator, False)],
)
def test_who_keeps_the_accounts_sees_no_name_no_birth_date_and_no_note(person, sees):
    case = drafted(
        patient_name="Ada Example", birth_date=date(1980, 2, 3), clinical_note="Ada was here."
    )

    answer = as_person(person(laboratory=case.laboratory)).get(url("case-detail", case))

    told = answer.json()
    assert told["patient"] == {"record_number": "P-77"} | (IDENTITY if sees else {})
    assert ("clinical_note" in told) == sees
    assert ("Ada" in answer.content.decode()) == sees


def test_the_trail_tells_who_did_what_in_order_and_names_no_patient():
    case = drafted(patient_name="Ada Example")
    workflow.revise(
        case,
        case.accessioned_by,
        workflow.Accession(record_number="P-77", specimen_type="CONV", patient_name="Ada E."),
    )

    answer = as_person(make.administrator(laboratory=case.laboratory)).get(url("case-trail", case))

    told = answer.json()
    assert told["disclaimer"] == DISCLAIMER
    assert [event["action"] for event in told["events"]] == ["accession", "revise", "view"]
    assert told["events"][0]["actor"]["name"] == case.accessioned_by.name
    assert told["events"][1]["detail"]["changes"]["specimen_type"] == ["LBC", "CONV"]
    assert "Ada" not in answer.content.decode()


# ── The model ────────────────────────────────────────────────────────────────────────────────────


def test_the_model_is_told_with_its_digest_its_labels_and_its_figures():
    version = make.model_version()

    told = with_token(make.administrator()).get(url("model")).json()

    assert (told["name"], told["digest"]) == (version.name, version.digest)
    assert told["labels"] == [cell_class.value for cell_class in CellClass]
    assert told["preprocessing_version"] == version.preprocessing_version
    assert told["figures"] == version.figures
    assert told["disclaimer"] == DISCLAIMER


def test_without_a_model_nothing_is_submitted_and_the_answer_says_what_is_missing():
    case = make.case(images=1)
    client = as_person(case.accessioned_by)

    answers = [client.post(url("case-submit", case)), client.get(url("model"))]

    for answer in answers:
        assert answer.status_code == 409
        assert answer.json()["detail"].startswith("No model is registered")
    case.refresh_from_db()
    assert case.status == Status.DRAFT
