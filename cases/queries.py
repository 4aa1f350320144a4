"""What is asked of one case: answers, findings, reads, progress, who can go on with it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import (
    Count,
    F,
    JSONField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)

from accounts.models import Laboratory, Role, User
from accounts.permissions import can_see_patient_identity
from cases import activation, bethesda
from cases.models import (
    ARRAYS,
    AuditEvent,
    Case,
    CellImage,
    ClassificationFailure,
    Comment,
    Display,
    Finding,
    Prediction,
    ReadingSettings,
    Report,
    Review,
    Run,
)
from cases.sight import Sight
from cases.sight import of as sight_of
from inference import registry
from inference.models import ModelVersion

Status = Case.Status


def shown_predictions(case: Case, sight: Sight) -> QuerySet[Prediction]:
    """The answers that a reader sees: those of the model version of the latest finished run.

    None at all where the reader has yet to read without them.
    """
    if not sight.model:
        return Prediction.objects.none()
    latest = case.runs.filter(status=Run.Status.DONE).order_by("-finished_at")
    return (
        Prediction.objects.filter(
            image__case=case, model_version__in=latest.values("model_version")[:1]
        )
        .select_related("model_version")
        .without_arrays()
    )


def activation_of(case: Case, image: CellImage, sight: Sight) -> activation.Overlay | None:
    """The maps of the answer that is shown for this image; None where none were kept.

    The scale is that of the case's cells on which the model stands by its class, so that a blank
    picture among them does not make the others look faint; this cell is never above it.
    """
    own, scale = None, []
    answers = shown_predictions(case, sight).values_list("image_id", "reasons", "activation_maps")
    for image_id, reasons, stored in answers:
        if stored is not None and (image_id == image.pk or not reasons):
            scale.append(bytes(stored))
            own = scale[-1] if image_id == image.pk else own
    if own is None:
        return None
    return activation.Overlay(activation.unpack_maps(own), activation.largest(scale))


def answering_model(laboratory: Laboratory) -> ModelVersion:
    """The model version that answers new runs of a laboratory: its choice, or the current one.

    Raises:
        NoCurrentModel: neither is there.

    """
    return ReadingSettings.of(laboratory).model_version or registry.current()


def is_outdated(case: Case, model_version: ModelVersion) -> bool:
    """Whether this model version has yet to answer the case."""
    return not case.runs.filter(status=Run.Status.DONE, model_version=model_version).exists()


def standing_findings(case: Case) -> QuerySet[Finding]:
    """The findings of the review that is open or was signed; a released review's are not shown."""
    return findings_of([case]).order_by("made_at")


def findings_of(cases: Iterable[Case]) -> QuerySet[Finding]:
    """The same of several cases, in no order."""
    stands = Q(review__ended_at=None) | Q(review__ended_at=F("review__case__signed_at"))
    return Finding.objects.filter(stands, review__case__in=cases, withdrawn_at=None).order_by()


def compared_findings(case: Case) -> QuerySet[Finding]:
    """The standing findings, each with the answer that was shown when it was made."""
    deferred = (f"prediction__{field}" for field in ARRAYS)
    return standing_findings(case).select_related("prediction", "amended_by").defer(*deferred)


def comments(case: Case, user: User) -> list[Comment]:
    """What was said when the case was passed on, as far as this person may know it.

    Who has yet to read without others' reads sees their own words and those to them alone (R6);
    who screens a case again in a colleague's place, what the colleague was asked.
    """
    if not can_see_patient_identity(user):
        return []
    said = list(case.comments.select_related("author", "to"))
    if said and not sight_of(user, case).reads:
        asked = case.sent_back_to_id if case.holder == user else None
        said = [
            comment
            for comment in said
            if user in (comment.author, comment.to)
            or (comment.reason == Comment.Reason.SEND_BACK and comment.to_id == asked)
        ]
    return said


def colleagues(user: User, case: Case) -> QuerySet[User]:
    """To whom a person can hand this case over: others of the laboratory with the same role."""
    return User.objects.filter(
        laboratory_id=case.laboratory_id, role=user.role, is_active=True
    ).exclude(pk=user.pk)


def screeners(case: Case) -> QuerySet[User]:
    """Whom a pathologist can ask to screen this case again; nobody where none has screened it."""
    people = User.objects.filter(
        laboratory_id=case.laboratory_id, role=Role.CYTOTECHNOLOGIST, is_active=True
    )
    return people if first_read(case) else people.none()


def displays(case: Case) -> QuerySet[Display]:
    """Which cells were in sight of the reader who holds the case, or has signed it."""
    return Display.objects.filter(image__case=case, reader_id=case.reviewer_id)


def undisplayed(case: Case) -> QuerySet[CellImage]:
    """The cells that their reader has neither seen nor excluded: none may be left at signature."""
    excluded = standing_findings(case).exclude(exclusion="")
    return case.images.exclude(pk__in=displays(case).values("image")).exclude(
        pk__in=excluded.values("image")
    )


def read_progress(case: Case) -> dict[str, int]:
    """How far the reader is: how many images there are, were displayed, decided and excluded."""
    counted = standing_findings(case).aggregate(
        decided=Count("pk", filter=Q(exclusion="")), excluded=Count("pk", filter=~Q(exclusion=""))
    )
    return {
        "images": case.images.count(),
        "displayed": displays(case).count(),
        "decided": counted["decided"],
        "excluded": counted["excluded"],
    }


def shown_findings(case: Case, sight: Sight) -> QuerySet[Finding]:
    """The standing findings that a person may see: their own always."""
    findings = compared_findings(case)
    return findings if sight.reads else findings.filter(review__reader_id=sight.user_id)


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the gallery: an image with what the model, and what the reader said of it."""

    image: CellImage
    prediction: Prediction | None
    finding: Finding | None
    failure: str
    displayed: bool = False
    name: str = ""  # of the file, which may tell a class: left out for who reads blind

    @property
    def is_unseen(self) -> bool:
        """Whether its reader has neither seen nor excluded it."""
        return not self.displayed and not (self.finding and self.finding.exclusion)


def gallery(case: Case, sight: Sight) -> list[Cell]:
    """The case's cells by how much they need a look.

    Those that the model could not read come first, then those it abstained on, then the others by
    their abnormality. Who reads without the model sees them as they were uploaded.
    """
    answers = shown_predictions(case, sight)
    predictions = {prediction.image_id: prediction for prediction in answers}
    findings = {finding.image_id: finding for finding in shown_findings(case, sight)}
    failures = dict(shown_failures(case, sight).values_list("image_id", "reason"))
    displayed = set(displays(case).values_list("image_id", flat=True))
    cells = [
        Cell(
            image,
            predictions.get(image.pk),
            findings.get(image.pk),
            failures.get(image.pk, ""),
            image.pk in displayed,
            image.name if sight.model else "",
        )
        for image in case.images.all()
    ]
    return sorted(cells, key=_need_of_a_look) if sight.model else cells


def cell(case: Case, image: CellImage, sight: Sight) -> Cell:
    """What the model said of one cell, asked for alone; of its reader nothing."""
    failure = shown_failures(case, sight).filter(image=image).first()
    answer = shown_predictions(case, sight).filter(image=image).first()
    return Cell(image, answer, None, failure.reason if failure else "")


def _need_of_a_look(cell: Cell) -> tuple[int, float, str]:
    if cell.prediction is None:
        return (0, 0.0, cell.name)
    return (1 if cell.prediction.abstained else 2, -cell.prediction.abnormality, cell.name)


OTHER_CASES = 20  # as many as a reader looks through


def other_cases(case: Case) -> QuerySet[Case]:
    """What else is known of the patient in this laboratory, the newest first.

    ``result`` is what the report in force says; None where none is signed.
    """
    in_force = Report.objects.filter(case=OuterRef("pk")).order_by("-version").values("read")
    others = Case.objects.filter(patient=case.patient_id, laboratory=case.laboratory_id)
    return (
        others.exclude(pk=case.pk)
        .annotate(result=Subquery(in_force[:1], output_field=JSONField()))
        .order_by("-accessioned_at")[:OTHER_CASES]
    )


def last_run(case: Case) -> Run | None:
    """The latest attempt to classify the case."""
    return case.runs.order_by("-queued_at").first()


def shown_failures(case: Case, sight: Sight) -> QuerySet[ClassificationFailure]:
    """The images that the latest run could not read: the model's output too."""
    if not sight.model:
        return ClassificationFailure.objects.none()
    return ClassificationFailure.objects.filter(run=last_run(case))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the classification of a case is."""

    images: int
    answered: int
    failed: int


def progress(case: Case) -> Progress:
    """Counts for the latest run; an answer of the same model version from an earlier run counts."""
    images = case.images.count()
    run = last_run(case)
    if run is None:
        return Progress(images, 0, 0)
    answered = Prediction.objects.filter(
        image__case=case, model_version_id=run.model_version_id
    ).count()
    return Progress(images, answered, run.failures.count())


# ── Reads ────────────────────────────────────────────────────────────────────────────────────────


def open_review(case: Case) -> Review:
    """The read that is under way."""
    return Review.objects.select_related("reader").get(case=case, ended_at=None)


def has_read_first(case: Case, user: User) -> bool:
    """Whether this person has begun a read of the case other than a rescreen, finished or not."""
    return case.reviews.filter(reader=user).exclude(kind=Review.Kind.RESCREEN).exists()


def first_read(case: Case) -> Review | None:
    """The screening that was concluded, where there is one and no other took its place."""
    concluded = case.reviews.filter(
        kind=Review.Kind.SCREENING, read__isnull=False, superseded_at=None
    )
    return concluded.select_related("reader").order_by("-ended_at").first()


def is_screened_again(case: Case) -> bool:
    """Whether a pathologist asked for another screening than the one that there was."""
    return case.reviews.filter(superseded_at__isnull=False).exists()


def committed_by(case: Case, user: User) -> Review | None:
    """The read under way, where its reader committed one before the model's output was shown."""
    under_way = case.reviews.filter(reader=user, ended_at=None, committed_at__isnull=False)
    return under_way.first()


def as_shown(events: Iterable[AuditEvent], sight: Sight) -> list[AuditEvent]:
    """Events of a trail without what others read and found, where a person may not see it yet.

    So is the reason of a change after the model's output was shown, for who has yet to read.
    """
    shown = list(events)
    for event in shown:
        if event.actor_id == sight.user_id:
            continue
        is_shown = sight.model or "outcome" in event.detail  # the way to a read may tell of it
        if event.action in _READING and not (sight.reads and is_shown):
            event.detail = {"hidden": True}
        elif not sight.model:
            event.detail = {k: v for k, v in event.detail.items() if k not in _AFTER_THE_MODEL}
    return shown


_READING = ("decide", "commit", "conclude")
_AFTER_THE_MODEL = ("committed", "change_reason", "failures")


def latest_read(case: Case, user: User) -> Review:
    """This person's read that is under way, else the one that ended last."""
    own = case.reviews.filter(reader=user).select_related("reader")
    return own.order_by(F("ended_at").desc(nulls_first=True))[:1].get()


def shown_reads(case: Case, sight: Sight) -> list[Review]:
    """The reads that were committed, oldest first, as far as a person may see them."""
    reads = case.reviews.filter(committed_at__isnull=False).select_related("reader")
    if not sight.reads:
        reads = reads.filter(reader_id=sight.user_id)
    return list(reads.order_by("committed_at"))


def findings_at_commit(review: Review) -> QuerySet[Finding]:
    """The reader's findings as they stood when they committed their own read."""
    made = Q(made_at__lte=review.committed_at)
    stood = Q(withdrawn_at=None) | Q(withdrawn_at__gt=review.committed_at)
    return review.findings.filter(made & stood)


def changed_since_commit(review: Review) -> bool:
    """Whether the reader, who has decided on every cell, changed a finding after their commit."""
    return review.findings.filter(made_at__gt=review.committed_at).exists()


def higher_risk(case: Case, *, by_history: bool) -> str:
    """Why the patient counts as higher-risk; empty where they do not (R5)."""
    if case.patient.higher_risk:
        return "the patient is flagged higher-risk"
    if by_history and any(bethesda.is_abnormality(code) for code in _earlier_interpretations(case)):
        return "the patient had an abnormal result before"
    return ""


def _earlier_interpretations(case: Case) -> list[str]:
    """Those of the reports in force, which may say otherwise than what was first signed."""
    reports = Report.objects.current().filter(case__patient=case.patient_id).exclude(case=case)
    said = reports.values_list("read__interpretations", flat=True)
    return [code for codes in said for code in codes or ()]
