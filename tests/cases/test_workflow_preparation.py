"""Accession, upload into a draft, and what a crash between file and row leaves behind."""

from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from cases import clock, intake, storage, workflow
from cases.models import Case, CellImage, Patient
from cases.workflow import Accession
from inference.labels import CellClass
from tests import make
from tests.at_once import at_once

pytestmark = pytest.mark.django_db


def given(**changes):
    return Accession(**{"record_number": "P-1", "specimen_type": "LBC"} | changes)


def test_accession_registers_a_draft_with_a_number_of_the_servers_choice():
    user = make.cytotechnologist()

    first, second = (workflow.accession(user, given()) for _ in range(2))

    year = f"{clock.now():%y}"
    assert (first.status, first.accession_number) == (Case.Status.DRAFT, f"C{year}-00001")
    assert second.accession_number == f"C{year}-00002"
    assert first.patient == second.patient
    assert (first.accessioned_by, first.laboratory) == (user, user.laboratory)
    [event] = first.events.all()
    assert (event.action, event.actor) == ("accession", user)


def test_the_due_time_follows_the_priority_and_the_laboratory():
    laboratory = make.laboratory(urgent_turnaround_hours=5, routine_turnaround_hours=50)
    user = make.cytotechnologist(laboratory=laboratory)

    routine = workflow.accession(user, given())
    urgent = workflow.accession(user, given(priority="urgent"))

    assert routine.due_at - routine.accessioned_at == timedelta(hours=50)
    assert urgent.due_at - urgent.accessioned_at == timedelta(hours=5)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"record_number": " "}, "record_number"),
        ({"specimen_type": "XYZ"}, "specimen_type"),
        ({"priority": "whenever"}, "priority"),
        ({"accession_number": "x" * 41}, "accession_number"),
        ({"collected_on": date(2999, 1, 1)}, "collected_on"),
        ({"birth_date": date(2999, 1, 1)}, "birth_date"),
        ({"birth_date": date(2001, 2, 4), "collected_on": date(2001, 2, 3)}, "birth_date"),
        ({"clinical_note": "x" * 4001}, "clinical_note"),
    ],
)
def test_an_accession_that_cannot_be_stored_names_the_field_and_stores_nothing(changes, field):
    with pytest.raises(ValidationError) as refused:
        workflow.accession(make.cytotechnologist(), given(**changes))

    assert field in refused.value.message_dict
    assert not Case.objects.exists()
    assert not Patient.objects.exists()


def test_an_accession_number_that_is_taken_is_refused_with_the_next_free_one():
    user = make.cytotechnologist()
    taken = workflow.accession(user, given()).accession_number

    with pytest.raises(ValidationError, match=r"next free number is C\d\d-00002"):
        workflow.accession(user, given(accession_number=taken.lower()))

    assert Case.objects.count() == 1


def test_a_number_typed_in_small_letters_or_out_of_turn_is_counted():
    user = make.cytotechnologist()
    year = f"{clock.now():%y}"
    workflow.accession(user, given(accession_number=f"c{year}-00007"))
    workflow.accession(user, given(accession_number=f"C{year}-00002"))

    assert workflow.accession(user, given()).accession_number == f"C{year}-00008"


@pytest.mark.parametrize(("zone", "number"), [("Asia/Tokyo", "C26-00001"), ("UTC", "C25-00001")])
def test_the_year_of_a_number_is_the_laboratorys(zone, number):
    laboratory = make.laboratory(time_zone=zone)

    with clock.at(datetime(2025, 12, 31, 20, tzinfo=UTC)):
        assert workflow.suggest_accession_number(laboratory) == number


@pytest.mark.parametrize(("zone", "is_today"), [("Asia/Tokyo", True), ("America/Lima", False)])
def test_a_specimen_is_collected_today_at_the_latest_where_the_laboratory_is(zone, is_today):
    user = make.cytotechnologist(laboratory=make.laboratory(time_zone=zone))

    with clock.at(datetime(2026, 3, 31, 20, tzinfo=UTC)):
        refused = None if is_today else pytest.raises(ValidationError, match="in the future")
        with refused or nullcontext():
            workflow.accession(user, given(collected_on=date(2026, 4, 1)))

    assert Case.objects.exists() is is_today


def test_the_same_accession_number_is_free_in_another_laboratory():
    first = workflow.accession(make.cytotechnologist(), given(accession_number="A-1"))
    second = workflow.accession(make.cytotechnologist(), given(accession_number="A-1"))

    assert first.accession_number == second.accession_number
    assert first.patient != second.patient


@pytest.mark.django_db(transaction=True)
def test_two_accessions_at_once_get_two_numbers():
    laboratory = make.laboratory()
    people = [make.cytotechnologist(laboratory=laboratory) for _ in range(2)]

    at_once([lambda person=person: workflow.accession(person, given()) for person in people])

    numbers = Case.objects.values_list("accession_number", flat=True)
    assert len(set(numbers)) == 2


def test_name_and_birth_date_are_unreadable_in_the_database():
    case = workflow.accession(
        make.cytotechnologist(), given(patient_name="Ada Lovelace", birth_date=date(1815, 12, 10))
    )

    with connection.cursor() as cursor:
        cursor.execute("SELECT name, birth_date FROM cases_patient")
        [stored] = cursor.fetchall()

    assert "Ada" not in str(stored)
    assert "1815" not in str(stored)
    patient = Patient.objects.get(pk=case.patient.pk)
    assert (patient.name, patient.birth_date) == ("Ada Lovelace", date(1815, 12, 10))


def test_a_known_patient_is_not_renamed_by_somebody_elses_case():
    user = make.cytotechnologist()
    workflow.accession(user, given(patient_name="Ada Lovelace"))

    with pytest.raises(ValidationError, match="already known"):
        workflow.accession(user, given(patient_name="Mary Shelley"))

    assert Patient.objects.get().name == "Ada Lovelace"


def test_a_name_typed_wrong_is_mended_while_the_patient_has_this_case_only():
    user = make.cytotechnologist()
    case = workflow.accession(user, given(patient_name="Ada Lovelac"))

    workflow.revise(case, user, given(patient_name="Ada Lovelace"))

    assert Patient.objects.get().name == "Ada Lovelace"


def test_a_name_can_be_taken_out_again_while_the_patient_has_this_case_only():
    user = make.cytotechnologist()
    case = workflow.accession(
        user, given(patient_name="Ada Lovelace", birth_date=date(1985, 12, 10))
    )

    workflow.revise(case, user, given())

    patient = Patient.objects.get()
    assert (patient.name, patient.birth_date) == ("", None)


def test_an_id_typed_wrong_leaves_no_patient_behind_without_a_case():
    user = make.cytotechnologist()
    case = workflow.accession(user, given(record_number="P-11", patient_name="Ada Lovelace"))

    workflow.revise(case, user, given(record_number="P-1", patient_name="Ada Lovelace"))

    assert [patient.record_number for patient in Patient.objects.all()] == ["P-1"]


def test_an_id_corrected_leaves_the_patient_of_another_case_alone():
    user = make.cytotechnologist()
    workflow.accession(user, given(record_number="P-11", patient_name="Ada Lovelace"))
    case = workflow.accession(user, given(record_number="P-11"))

    workflow.revise(case, user, given(record_number="P-1"))

    assert Patient.objects.get(record_number="P-11").name == "Ada Lovelace"


def test_the_trail_tells_what_a_revision_changed_without_any_identity():
    user = make.cytotechnologist()
    case = workflow.accession(user, given(patient_name="Ada Lovelace"))

    workflow.revise(case, user, given(patient_name="Ada King", priority="urgent"))

    event = case.events.get(action="revise")
    assert event.detail["changes"] == {"priority": ["routine", "urgent"]}
    assert "Ada" not in str(event.detail)


def test_add_image_stores_the_picture_and_the_row():
    case = make.case()

    image = workflow.add_image(case, case.accessioned_by, "../x/one.png", make.cell_picture())

    assert (image.name, image.width, image.height) == ("one.png", 96, 96)
    stored = storage.open_image(case.laboratory_id, image.digest)
    assert intake.source_digest(stored) == image.digest
    assert case.events.get().action == "add_image"


def test_the_same_file_twice_is_kept_once_and_names_the_first():
    case = make.case()
    workflow.add_image(case, case.accessioned_by, "one.png", make.cell_picture())

    with pytest.raises(workflow.AlreadyInCase, match=r"Already in this case as one\.png"):
        workflow.add_image(case, case.accessioned_by, "two.png", make.cell_picture())

    assert case.images.count() == 1


def test_a_file_that_is_no_picture_leaves_nothing_behind():
    case = make.case()

    with pytest.raises(intake.RefusedFile):
        workflow.add_image(case, case.accessioned_by, "one.png", b"not a picture")

    assert not case.images.exists()
    assert not list(storage.stored_digests(case.laboratory_id))


def test_sweep_removes_old_pictures_without_a_row_and_spares_all_others(monkeypatch):
    case = make.case(images=1)
    kept = case.images.get()
    orphan = intake.read(make.cell_picture(CellClass.METAPLASTIC, 9), intake.limits())
    storage.store(case.laboratory_id, orphan)

    removed_young = workflow.sweep()
    monkeypatch.setattr("cases.workflow.preparation.ORPHAN_AGE", timedelta(seconds=-1))
    removed_old = workflow.sweep()

    assert (removed_young, removed_old) == (0, 1)
    assert [s.digest for s in storage.stored_digests(case.laboratory_id)] == [kept.digest]


def test_remove_image_takes_the_row_and_leaves_the_trail():
    case = make.case(images=2)
    gone = case.images.first()

    workflow.remove_image(case, case.accessioned_by, gone.pk)

    assert list(case.images.values_list("pk", flat=True)) != []
    assert not CellImage.objects.filter(pk=gone.pk).exists()
    assert case.events.get().detail["digest"] == gone.digest


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": "administrator"}])
def test_a_colleague_may_go_on_with_the_draft_of_a_person_who_can_no_more(change):
    case = make.case(images=1)
    colleague = make.cytotechnologist(laboratory=case.laboratory)
    type(colleague).objects.filter(pk=case.accessioned_by_id).update(**change)

    submitted = workflow.submit(Case.objects.get(pk=case.pk), colleague, make.model_version())

    assert submitted.status == Case.Status.QUEUED
