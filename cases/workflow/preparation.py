"""Before submission: register a specimen, fill the draft with images, hand it to the workers."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import BigIntegerField, Max, Q
from django.db.models.functions import Cast, Substr
from django.db.transaction import atomic

from accounts.models import Laboratory, User
from cases import audit, clock, intake, permissions, signature, storage
from cases.models import Case, CellImage, Patient
from cases.workflow.classification import queue_run
from cases.workflow.transition import Refused, locked, require, transition
from inference.models import ModelVersion

Status = Case.Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Accession:
    """What is said of a specimen; an empty accession number lets the server choose."""

    record_number: str
    specimen_type: str
    accession_number: str = ""
    patient_name: str = ""
    birth_date: date | None = None
    higher_risk: bool = False
    collected_on: date | None = None
    priority: str = Case.Priority.ROUTINE
    clinical_note: str = ""


def suggest_accession_number(laboratory: Laboratory) -> str:
    """The next free number of the laboratory's year, like C26-00042."""
    prefix = f"C{clock.now().astimezone(laboratory.zone):%y}-"
    # typed by hand it may be c26-00042, which is the same number
    numbers = Case.objects.filter(
        laboratory=laboratory, accession_number__iregex=rf"^{prefix}[0-9]{{5,17}}$"
    )
    count = Cast(Substr("accession_number", len(prefix) + 1), BigIntegerField())
    last = numbers.aggregate(last=Max(count))["last"] or 0
    return f"{prefix}{last + 1:05d}"


def accession(user: User, given: Accession) -> Case:
    """Register a specimen as a case.

    Raises `ValidationError` with the fields' names where what was given cannot be stored.
    """
    require(permissions.can_accession(user), "Only cytotechnologists accession cases.")
    with atomic():
        # one accession at a time in a laboratory: the number suggested stays free until it is used
        laboratory = numbering(user.laboratory_id)
        case = Case(laboratory=laboratory, accessioned_by=user, accessioned_at=clock.now())
        _describe(case, given)
        audit.record(
            case, user, "accession", to_status=case.status, accession_number=case.accession_number
        )
    return case


def numbering(laboratory_id: int) -> Laboratory:
    """The laboratory, locked against others who register cases or patients.

    Not against what only refers to it.
    """
    return Laboratory.objects.select_for_update(no_key=True).get(pk=laboratory_id)


def revise(case: Case, user: User, given: Accession) -> Case:
    """Mend what was said at accession, while the case is a draft."""
    with atomic():
        case = locked(case, "revise", Status.DRAFT)
        require(permissions.can_prepare(user, case), _NOT_YOURS)
        numbering(case.laboratory_id)
        before, patient_before = _description(case), case.patient
        _describe(case, given)
        if case.patient != patient_before and not patient_before.cases.exists():
            patient_before.delete()  # an id typed wrong leaves no name behind without a case
        after = _description(case)
        changes = {key: [before[key], after[key]] for key in after if before[key] != after[key]}
        audit.record(case, user, "revise", changes=changes)
    return case


_NOT_YOURS = "Only the cytotechnologist who accessioned the case may do this."


def _describe(case: Case, given: Accession) -> None:
    laboratory = case.laboratory
    number = (
        given.accession_number.strip()
        or case.accession_number
        or suggest_accession_number(laboratory)
    )
    case.accession_number = number
    case.patient = _patient(case, given)
    case.specimen_type = given.specimen_type
    case.collected_on = given.collected_on
    case.priority = given.priority
    case.clinical_note = given.clinical_note.strip()
    case.due_at = case.accessioned_at + turnaround(laboratory, given.priority)
    refuse_impossible_dates(case)
    taken = Case.objects.filter(laboratory=laboratory, accession_number__iexact=number)
    if taken.exclude(pk=case.pk).exists():
        raise ValidationError(
            {
                "accession_number": f"{number} is taken in your laboratory. "
                f"The next free number is {suggest_accession_number(laboratory)}."
            }
        )
    case.full_clean(exclude=["reviewer"])
    case.save()


def refuse_impossible_dates(case: Case) -> None:
    """Refuse a specimen that was collected tomorrow, or before its patient was born."""
    today = clock.now().astimezone(case.laboratory.zone).date()
    if case.collected_on and case.collected_on > today:
        raise ValidationError({"collected_on": "The collection date lies in the future."})
    born = case.patient.birth_date
    if born and born > (case.collected_on or today):
        when = "after the collection" if case.collected_on else "in the future"
        raise ValidationError({"birth_date": f"The birth date lies {when}."})


def _patient(case: Case, given: Accession) -> Patient:
    """The patient with this id; a missing name or birth date is added.

    A differing one is mended, and an emptied one forgotten, only where no other case hangs on the
    patient: whoever types an id wrong must not rename somebody else.
    """
    record_number = given.record_number.strip()
    if not record_number:
        raise ValidationError({"record_number": "A case needs the patient's id."})
    # locked, so that a name that is being erased is not written back
    known = Patient.objects.select_for_update(no_key=True).filter(laboratory=case.laboratory)
    patient = known.filter(record_number__iexact=record_number).first() or Patient(
        laboratory=case.laboratory, record_number=record_number
    )
    has_other_cases = patient.pk and patient.cases.exclude(pk=case.pk).exists()
    for field, known, new in (
        ("patient_name", patient.name, given.patient_name.strip()),
        ("birth_date", patient.birth_date, given.birth_date),
    ):
        if has_other_cases and known and new and known != new:
            raise ValidationError(
                {field: f"Patient {record_number} is already known here with another entry."}
            )
    says_who = given.patient_name.strip() or given.birth_date
    if says_who and patient.pk and audit.identity_is_erased(patient):
        raise ValidationError(
            {
                "record_number": f"The identity of patient {record_number} was erased on request: "
                "leave name and birth date empty."
            }
        )
    is_revised = not has_other_cases and patient.pk is not None and case.patient_id == patient.pk
    patient.name = given.patient_name.strip() or ("" if is_revised else patient.name)
    patient.birth_date = given.birth_date or (None if is_revised else patient.birth_date)
    patient.higher_risk = given.higher_risk or (patient.higher_risk and not is_revised)
    patient.full_clean()
    patient.save()
    return patient


def _description(case: Case) -> dict[str, Any]:
    """What the trail keeps of a description: no name, no birth date, no note."""
    return {
        "accession_number": case.accession_number,
        "patient": case.patient.record_number,
        "specimen_type": case.specimen_type,
        "collected_on": case.collected_on and case.collected_on.isoformat(),
        "priority": case.priority,
        "higher_risk": "yes" if case.patient.higher_risk else "no",
        "clinical_note": signature.digest(case.clinical_note)[:12] if case.clinical_note else "",
    }


def turnaround(laboratory: Laboratory, priority: str) -> timedelta:
    """How long a case of this priority may take in this laboratory (R14)."""
    urgent = priority == Case.Priority.URGENT
    hours = laboratory.urgent_turnaround_hours if urgent else laboratory.routine_turnaround_hours
    return timedelta(hours=hours)


class AlreadyInCase(Exception):
    """This file is in the case already; ``image`` is the one that was kept."""

    def __init__(self, image: CellImage) -> None:
        super().__init__(f"Already in this case as {image.name}.")
        self.image = image


def refuse_images(case: Case, user: User) -> None:
    """Refuse images where `add_image` would, before a file is looked at."""
    require(permissions.can_prepare(user, case), _NOT_YOURS)
    if case.status != Status.DRAFT:
        with atomic():
            locked(case, "add an image to", Status.DRAFT)


def add_image(case: Case, user: User, name: str, content: bytes) -> CellImage:
    """Take one uploaded file into a draft.

    Raises `intake.RefusedFile` for what is no usable picture and `AlreadyInCase` for a file or a
    picture that the case has. The picture is decoded outside the transaction and stored before the
    row: a crash between the two leaves a file without a row, which `sweep` removes.
    """
    refuse_images(case, user)
    source = intake.source_digest(content)
    if known := case.images.filter(source_digest=source).first():
        raise AlreadyInCase(known)
    picture = intake.read(content, intake.limits())
    storage.store(case.laboratory_id, picture)
    with atomic():
        case = locked(case, "add an image to", Status.DRAFT)
        same = case.images.filter(Q(digest=picture.digest) | Q(source_digest=source)).first()
        if same:
            raise AlreadyInCase(same)
        image = CellImage.objects.create(
            case=case,
            name=intake.clean_name(name),
            digest=picture.digest,
            source_digest=source,
            width=picture.width,
            height=picture.height,
            source_format=picture.source_format,
            micrometres=picture.micrometres,
            uploaded_by=user,
            uploaded_at=clock.now(),
        )
        audit.record(case, user, "add_image", image=str(image.pk), digest=picture.digest)
    return image


def remove_image(case: Case, user: User, image_id: UUID) -> Case:
    """Take an image out of a draft again."""
    with atomic():
        case = locked(case, "remove an image from", Status.DRAFT)
        require(permissions.can_prepare(user, case), _NOT_YOURS)
        image = case.images.get(pk=image_id)
        if image.predictions.exists() or image.findings.exists() or image.failures.exists():
            raise Refused(
                f"{image.name} was classified before the case was sent back, and stays: "
                "whoever reads the case can exclude it."
            )
        image.displays.all().delete()
        image.delete()
        audit.record(case, user, "remove_image", image=str(image_id), digest=image.digest)
    return case


def submit(case: Case, user: User, model_version: ModelVersion) -> Case:
    """Hand a draft with at least one image to the workers."""
    with transition(case, user, "submit", Status.DRAFT, Status.QUEUED) as (case, detail):
        require(permissions.can_prepare(user, case), _NOT_YOURS)
        detail["images"] = case.images.count()
        if not detail["images"]:
            raise Refused("A case needs at least one cell image before it can be submitted.")
        case.submitted_at = clock.now()
        case.sent_back_to = None
        queue_run(case, model_version, attempt=1)
    return case


ORPHAN_AGE = timedelta(days=1)  # younger ones may belong to an upload that is just being stored


def sweep() -> int:
    """Remove stored pictures that no case names: what a crash or `remove_image` left behind.

    Returns how many files.
    """
    removed = 0
    for laboratory_id in Laboratory.objects.values_list("pk", flat=True):
        images = CellImage.objects.filter(case__laboratory_id=laboratory_id)
        named = set(images.values_list("digest", flat=True).iterator())
        for stored in storage.stored_digests(laboratory_id):
            if stored.age < ORPHAN_AGE or stored.digest in named:
                continue
            if not images.filter(digest=stored.digest).exists():  # it may be named meanwhile
                storage.delete(laboratory_id, stored.digest)
                removed += 1
        removed += storage.delete_unfinished(laboratory_id, ORPHAN_AGE)
    return removed
