"""R21: a patient who asks to be forgotten, and the pseudonymous record that stays."""

from datetime import date

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection

from cases import audit, integrity, signature, workflow
from cases.models import Case, Comment, Patient
from cases.workflow import Accession
from tests import make

pytestmark = pytest.mark.django_db

Status = Case.Status
NAME = "Rosa Beispiel"


@pytest.fixture(autouse=True)
def media_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def administrator():
    return make.administrator()


def known_patient(laboratory):
    return Patient.objects.create(
        laboratory=laboratory, record_number="P-7", name=NAME, birth_date=date(1970, 3, 4)
    )


def signed_case(laboratory, patient):
    """A signed case about which people wrote freely, with a picture named after the patient."""
    case = make.case(
        Status.REVIEWING,
        reviewer=make.pathologist(laboratory=laboratory),
        images=1,
        patient=patient,
        clinical_note=f"{NAME} was here before.",
    )
    image = case.images.get()
    image.name = "rosa-beispiel.png"
    image.save()
    audit.record(case, case.accessioned_by, "add_image", image=str(image.pk), digest=image.digest)
    Comment.objects.create(
        case=case,
        reason="hand_over",
        author=case.reviewer,
        to=case.accessioned_by,
        text=f"Is this {NAME}?",
    )
    make.finding(case, image)
    return workflow.sign(case, case.reviewer, make.NILM, make.proof(case.reviewer))


def erase(case, administrator, record_number="P-7", reason="Asked in writing on 2 March."):
    return workflow.erase_identity(case, administrator, record_number, reason)


def everything_stored():
    """Every text in the tables of the cases, decrypted where it was encrypted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(cases_case::text, ' ') FROM cases_case")
        told = [cursor.fetchone()[0]]
        for table in ("cases_comment", "cases_cellimage", "cases_auditevent", "cases_report"):
            cursor.execute(f"SELECT string_agg({table}::text, ' ') FROM {table}")  # noqa: S608
            told.append(cursor.fetchone()[0])
    told += [f"{one.name} {one.birth_date}" for one in Patient.objects.all()]
    return " ".join(told)


def test_r21_the_identity_is_destroyed_in_every_case_of_the_patient(administrator):
    laboratory = administrator.laboratory
    patient = known_patient(laboratory)
    first, second = (signed_case(laboratory, patient) for _ in range(2))

    erase(first, administrator)

    stored = everything_stored().casefold()
    assert "rosa" not in stored
    assert "beispiel" not in stored
    assert "1970" not in stored
    for case in (first, second):
        [event] = case.events.filter(action="erase_identity")
        assert (event.actor, event.detail["patient"]) == (administrator, "P-7")


def test_r21_the_signed_pseudonymous_record_stays_as_it_was(administrator):
    case = signed_case(administrator.laboratory, known_patient(administrator.laboratory))
    before = case.reports.get()

    erase(case, administrator)

    after = case.reports.get()
    assert (after.content, after.digest) == (before.content, before.digest)
    assert signature.matches(after)
    assert list(integrity.breaks(case.laboratory)) == []
    case.refresh_from_db()
    assert (case.status, case.patient.record_number) == (Status.SIGNED, "P-7")
    assert case.images.get().name == "cell-0001"


@pytest.mark.parametrize("role", ["cytotechnologist", "pathologist"])
def test_r21_only_an_administrator_of_the_laboratory_erases(role, administrator):
    case = signed_case(administrator.laboratory, known_patient(administrator.laboratory))

    for person in (make.user(role, laboratory=case.laboratory), make.administrator()):
        with pytest.raises(PermissionDenied):
            erase(case, person)

    assert Patient.objects.get().name == NAME


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"record_number": "P-8"}, "not the id of the patient: nothing was erased"),
        ({"reason": " "}, "The reason is missing"),
    ],
)
def test_r21_a_slip_erases_nobody(given, said, administrator):
    case = signed_case(administrator.laboratory, known_patient(administrator.laboratory))

    with pytest.raises(workflow.Refused, match=said):
        erase(case, administrator, **given)

    assert Patient.objects.get().name == NAME
    assert not case.events.filter(action="erase_identity").exists()


def test_r21_what_is_erased_already_is_not_erased_again(administrator):
    case = signed_case(administrator.laboratory, known_patient(administrator.laboratory))
    erase(case, administrator)

    with pytest.raises(workflow.InvalidTransition, match="erased already"):
        erase(case, administrator)


def test_r21_an_erased_identity_does_not_come_back_by_the_next_accession(administrator):
    case = signed_case(administrator.laboratory, known_patient(administrator.laboratory))
    erase(case, administrator)
    again = Accession(record_number="p-7", specimen_type="LBC", patient_name=NAME)

    with pytest.raises(ValidationError, match="was erased on request"):
        workflow.accession(case.accessioned_by, again)

    made = workflow.accession(
        case.accessioned_by, Accession(record_number="p-7", specimen_type="LBC")
    )
    assert made.patient == case.patient


def test_the_neighbour_keeps_their_identity(administrator):
    case = signed_case(administrator.laboratory, known_patient(administrator.laboratory))
    neighbour = known_patient(make.laboratory())  # the same id, elsewhere

    erase(case, administrator)

    neighbour.refresh_from_db()
    assert neighbour.name == NAME


def test_the_page_asks_for_the_id_once_more_and_says_what_was_done(administrator, client):
    case = signed_case(administrator.laboratory, known_patient(administrator.laboratory))
    client.force_login(administrator)
    address = f"/cases/{case.pk}/erase-identity/"
    assert address in client.get(f"/cases/{case.pk}/").text
    asked = {"record_number": "P-9", "reason": "Asked in writing."}

    refused = client.post(address, asked)
    done = client.post(address, asked | {"record_number": "P-7"}, follow=True)

    assert "This is not the id of the patient: nothing was erased." in refused.text
    assert "Asked in writing." in refused.text
    assert "Erased who the patient is. Reason: Asked in writing." in done.text
    assert "is erased already" not in done.text
    assert "The identity of this patient is erased." in client.get(address).text


def test_it_is_erased_over_the_api_too(administrator, client):
    case = signed_case(administrator.laboratory, known_patient(administrator.laboratory))
    client.force_login(administrator)
    address = f"/api/v1/cases/{case.pk}/erase-identity/"

    refused = client.post(address, {"record_number": "P-7"}, "application/json")
    done = client.post(
        address, {"record_number": "P-7", "reason": "Asked in writing."}, "application/json"
    )

    assert (refused.status_code, done.status_code) == (400, 200)
    assert Patient.objects.get().name == ""
