"""Rows for tests: plain functions that say what they do."""

from datetime import timedelta
from functools import cache
from io import BytesIO
from itertools import count

import numpy as np
from django.utils import timezone
from PIL import Image, ImageDraw

from accounts.authentication import Reauthentication
from accounts.models import Laboratory, User
from cases import activation, bethesda, clock, intake, signature, storage
from cases.bethesda import Read
from cases.models import (
    Case,
    CellImage,
    Display,
    Finding,
    Patient,
    Prediction,
    ReadingSettings,
    Report,
    Review,
    Run,
)
from cases.workflow.reports import issue
from inference import manifest
from inference.labels import CellClass
from inference.manifest import Manifest
from inference.models import ModelVersion
from tests.make_accounts import (
    administrator,
    cytotechnologist,
    laboratory,
    pathologist,
    senior,
    user,
)

__all__ = ["administrator", "cytotechnologist", "laboratory", "pathologist", "senior", "user"]

Status = Case.Status
_numbers = count(1)


def model_version() -> ModelVersion:
    """The shipped model, current where no other is.

    As `registry.register_shipped` leaves it, without the check that it can be loaded: that takes
    half a second, and nearly every case of the tests asks for it.
    """
    described = _shipped()
    version = ModelVersion.objects.filter(name=described.name).first()
    if version is None:
        version = ModelVersion.described_by(described)
        version.is_current = not ModelVersion.objects.filter(is_current=True).exists()
        version.save()
    return version


@cache
def _shipped() -> Manifest:
    return manifest.read(manifest.shipped_folder())


def newer_model_version() -> ModelVersion:
    """A version that is current in the place of the shipped one, and has answered nothing yet."""
    newer = model_version()
    ModelVersion.objects.update(is_current=False)
    newer.pk, newer.name, newer.digest, newer.is_current = None, "newer", "f" * 64, True
    newer.save()
    return newer


@cache
def cell_picture(cell_class: CellClass = CellClass.PARABASAL, seed: int = 1) -> bytes:
    """A PNG file with a cell of a kind, another one for each class and seed."""
    picture = Image.new("RGB", (96, 96), (235, 240, 242))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((8, 8, 88, 88), fill=(150, 200 - 10 * list(CellClass).index(cell_class), 200))
    pen.ellipse((36, 36, 60, 60), fill=(70, 40, 110))
    pen.point([(seed % 96, seed // 96)], fill=(0, 0, 0))
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


READERS = {
    Status.SCREENING: cytotechnologist,
    Status.RESCREENING: pathologist,
    Status.AWAITING_SIGNATURE: cytotechnologist,
    Status.REVIEWING: pathologist,
    Status.SIGNED: pathologist,
}
KINDS = {
    Status.SCREENING: Review.Kind.SCREENING,
    Status.RESCREENING: Review.Kind.RESCREEN,
    Status.AWAITING_SIGNATURE: Review.Kind.SCREENING,
}


def proof(user: User, *, age: timedelta = timedelta()) -> Reauthentication:
    """That this person has given their password just now, or so long ago."""
    return Reauthentication(user_id=user.pk, at=timezone.now() - age, method="password")


NILM = bethesda.Read(adequacy=bethesda.Adequacy.SATISFACTORY, interpretations=("NILM",))
CONCLUDED = {
    "committed_read": NILM.to_json(),
    "read": NILM.to_json(),
    "outcome": "sign-out",
    "why": "Its screener may sign it out here (R2).",
}


def case(
    status: str = Status.DRAFT,
    *,
    by=None,
    reviewer=None,
    images: int = 0,
    due_in: timedelta = timedelta(days=5),
    **fields,
) -> Case:
    """A case in this state with so many cell images, predicted where the state asks for it."""
    by = (
        by
        or (reviewer and user(role="cytotechnologist", laboratory=reviewer.laboratory))
        or cytotechnologist()
    )
    number = next(_numbers)
    now = clock.now()
    patient = fields.pop("patient", None) or Patient.objects.create(
        laboratory=by.laboratory, record_number=f"P-{number:05d}"
    )
    if status in READERS and reviewer is None:
        reviewer = READERS[status](laboratory=by.laboratory)
    is_held = status in Case.HELD
    values = {
        "laboratory": by.laboratory,
        "held_since": now if is_held else None,
        "held_until": now + timedelta(minutes=30) if is_held else None,
        "accession_number": f"T-{number:05d}",
        "patient": patient,
        "specimen_type": "LBC",
        "accessioned_by": by,
        "due_at": now + due_in,
        "status": status,
        "submitted_at": None if status == Status.DRAFT else now,
        "reviewer": reviewer,
        "signed_at": now if status == Status.SIGNED else None,
    } | fields
    made = Case.objects.create(**values)
    for position in range(images):
        image(made, position)
    if status not in (Status.DRAFT, Status.QUEUED, Status.CLASSIFYING, Status.FAILED):
        classified(made)
    if reviewer is not None and status in READERS:
        kind = KINDS.get(status, Review.Kind.REVIEW)
        Review.objects.create(
            case=made,
            reader=reviewer,
            kind=kind,
            is_blind=kind == Review.Kind.RESCREEN,
            ended_at=values["signed_at"],
            **(CONCLUDED | {"committed_at": now} if status == Status.AWAITING_SIGNATURE else {}),
        )
    return made


def image(case: Case, position: int = 0, content: bytes | None = None) -> CellImage:
    """A stored cell image of a case."""
    content = content or cell_picture(list(CellClass)[position % 5], position)
    picture = intake.read(content, intake.limits())
    storage.store(case.laboratory_id, picture)
    return CellImage.objects.create(
        case=case,
        name=f"cell-{position:03d}.png",
        digest=picture.digest,
        source_digest=picture.source_digest,
        width=picture.width,
        height=picture.height,
        source_format=picture.source_format,
        micrometres=picture.micrometres,
        uploaded_by=case.accessioned_by,
    )


def run(case: Case, status: str = Run.Status.PENDING, **fields) -> Run:
    """A run of the case in this state."""
    now = clock.now()
    begun = {} if status == Run.Status.PENDING else {"started_at": now, "heartbeat_at": now}
    ended = {"finished_at": now} if status in (Run.Status.DONE, Run.Status.FAILED) else {}
    failed = {"failure": "It failed."} if status == Run.Status.FAILED else {}
    values = {"model_version": fields.pop("version", None) or model_version()}
    return Run.objects.create(
        case=case, status=status, **(values | begun | ended | failed | fields)
    )


def classified(case: Case, predicted: CellClass = CellClass.PARABASAL) -> Run:
    """A finished run that gave every image of the case this class at 0.8."""
    done = run(case, Run.Status.DONE)
    for shown in case.images.all():
        prediction(done, shown, predicted)
    return done


def prediction(run: Run, image: CellImage, predicted: CellClass, **fields) -> Prediction:
    """An answer of this class at 0.8, sure of itself unless fields say otherwise."""
    probabilities = [0.8 if cell_class == predicted else 0.05 for cell_class in CellClass]
    abnormal = [cell_class.is_abnormal for cell_class in CellClass]
    return Prediction.objects.create(
        run=run,
        image=image,
        model_version=run.model_version,
        probabilities=probabilities,
        cell_class=predicted.value,
        confidence=0.8,
        abnormality=sum(p for p, is_it in zip(probabilities, abnormal, strict=True) if is_it),
        **(
            {
                "prediction_set": [predicted.value],
                "familiarity": 0.62,
                "activation_maps": activation.pack_maps(activation_maps(predicted)),
            }
            | fields
        ),
    )


def activation_maps(cell_class: CellClass, strongest: float = 2.0):
    """Maps in which one place spoke for this class, and everything a little against the others."""
    maps = np.full((len(CellClass), 6, 6), -0.25, np.float32)
    maps[list(CellClass).index(cell_class), 2, 4] = strongest
    return maps


def abstain(case: Case, image: CellImage, **fields) -> Prediction:
    """Turn the answer for an image into an abstention between two classes."""
    two = [CellClass.METAPLASTIC.value, CellClass.PARABASAL.value]
    changes = {
        "cell_class": two[0],
        "prediction_set": two,
        "reasons": ["It cannot tell Metaplastic from Parabasal."],
    } | fields
    image.predictions.filter(run__case=case).update(**changes)
    return image.predictions.get(run__case=case)


def display(case: Case, *images: CellImage) -> None:
    """These images were in sight of the case's reviewer."""
    for image in images:
        Display.objects.get_or_create(image=image, reader=case.reviewer)


def reading(laboratory: Laboratory, **fields) -> ReadingSettings:
    """How a laboratory reads, where it is not as by default."""
    settings, _ = ReadingSettings.objects.update_or_create(laboratory=laboratory, defaults=fields)
    return settings


def committed(case: Case, said: Read, **fields) -> Review:
    """The read that is under way, as committed by its reader."""
    review = case.reviews.get(ended_at=None)
    Review.objects.filter(pk=review.pk).update(
        **{"committed_at": clock.now(), "committed_read": said.to_json()} | fields
    )
    return case.reviews.get(pk=review.pk)


def finding(
    case: Case, image: CellImage, cell_class: str = CellClass.PARABASAL, **fields
) -> Finding:
    """The reader's finding for an image of a case that is read, which they have seen."""
    review = Review.objects.get(case=case, reader=case.reviewer, ended_at=case.signed_at)
    display(case, image)
    return Finding.objects.create(
        review=review,
        image=image,
        cell_class="" if fields.get("exclusion") else cell_class,
        prediction=image.predictions.first(),
        **fields,
    )


def report(case: Case, read: bethesda.Read = NILM) -> Report:
    """The report of a case that is signed already, past the verb that would have signed it."""
    findings = list(
        Finding.objects.filter(review__case=case, withdrawn_at=None)
        .select_related("image", "prediction__model_version")
        .order_by("image__digest")
    )
    signed = signature.Signature(case.reviewer, case.signed_at)
    return issue(case, signature.content(case, read, findings, signed), signed)


def next_report(
    case: Case, read: bethesda.Read, kind: Report.Kind = Report.Kind.AMENDMENT
) -> Report:
    """The next version of the report, an amendment unless another kind is named; past the verb."""
    report = case.reports.current().get()
    signed = signature.Signature(case.reviewer, clock.now(), report.version + 1, kind)
    change = signature.Change(supersedes=report.version, reason="Read again.", affects_care=False)
    said = signature.next_content(case, report, signed, change, {"read": read.to_json()})
    return issue(case, said, signed)
