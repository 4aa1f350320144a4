"""The facts of a case: patient, images, runs, predictions, findings, reviews, reports, trail."""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Cast, Length, Upper
from django.db.models.lookups import Exact, In

from accounts.models import ChainedEvent, Laboratory, User
from cases import activation, clock, correlation, policy
from cases.bethesda import SpecimenType
from cases.encryption import EncryptedDateField, EncryptedTextField
from inference.calibration import LEVELS
from inference.labels import CellClass
from inference.models import ModelVersion

SET_LEVELS = [(level, f"{level * 100:.0f} %") for level in LEVELS]
CELL_CLASSES = [(cell_class.value, cell_class.value) for cell_class in CellClass]
ABNORMAL_CLASSES = [cell_class.value for cell_class in CellClass if cell_class.is_abnormal]


class ReadingSettings(models.Model):
    """How a laboratory reads its cases; one that has changed nothing yet goes by the defaults."""

    class ReadingOrder(models.TextChoices):
        ASSISTED = "assisted", "Assisted: what the model says is visible from the start"
        BLIND_FIRST = "blind-first", "Blind first: visible once the reader has committed their read"

    class HigherRisk(models.TextChoices):
        FLAGGED = "flagged", "Patients flagged at accession"
        HISTORY = "history", "Also patients with an earlier abnormal result here"

    laboratory = models.OneToOneField(Laboratory, on_delete=models.PROTECT, related_name="reading")
    primary_screening = models.BooleanField(
        default=False, help_text="A cytotechnologist reads every case before a pathologist may."
    )
    reading_order = models.CharField(
        max_length=12, choices=ReadingOrder.choices, default=ReadingOrder.ASSISTED
    )
    cytotechnologists_sign = models.BooleanField(
        "cytotechnologists sign plain NILM",
        default=False,
        help_text="Where a pathologist need not see it, and no rescreen holds it (R2).",
    )
    unsatisfactory_to_pathologist = models.BooleanField(
        "unsatisfactory specimens go to a pathologist", default=True
    )
    endometrial_to_pathologist = models.BooleanField(
        "endometrial cells at 45 or older go to a pathologist", default=True
    )
    rescreen_percent = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(10), MaxValueValidator(100)],
        help_text="Percent of the negative cases that are read twice before release; never under "
        "10. Those of higher-risk patients are read twice in any case (R5).",
    )
    higher_risk = models.CharField(
        "higher-risk patients", max_length=8, choices=HigherRisk.choices, default=HigherRisk.FLAGGED
    )
    model_version = models.ForeignKey(
        ModelVersion,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        help_text="Answers new runs; where none is chosen, the one current in this installation.",
    )
    set_level = models.FloatField(
        "level of the prediction sets",
        choices=SET_LEVELS,
        null=True,
        blank=True,
        help_text="How often the true class is among those that the model cannot rule out. A "
        "higher level names more classes, and leaves more cells to a person.",
    )

    class Meta:
        verbose_name_plural = "reading settings"
        constraints = [
            models.CheckConstraint(
                name="reading_rescreens_at_least_ten_percent",
                condition=Q(rescreen_percent__gte=10, rescreen_percent__lte=100),
            ),
        ]

    def __str__(self) -> str:
        return f"Reading in {self.laboratory}"

    @classmethod
    def of(cls, laboratory: Laboratory) -> ReadingSettings:
        """Those of this laboratory, or the defaults where it has changed nothing yet."""
        return cls.objects.filter(laboratory=laboratory).first() or cls(laboratory=laboratory)

    @property
    def rules(self) -> policy.Rules:
        return policy.Rules(
            self.cytotechnologists_sign,
            self.unsatisfactory_to_pathologist,
            self.endometrial_to_pathologist,
        )

    @property
    def is_blind_first(self) -> bool:
        return self.reading_order == self.ReadingOrder.BLIND_FIRST


class Patient(models.Model):
    """A pseudonymous person; name and birth date are encrypted at rest, unseen by workers."""

    laboratory = models.ForeignKey(Laboratory, on_delete=models.PROTECT, related_name="patients")
    record_number = models.CharField("patient id", max_length=40)
    name = EncryptedTextField(blank=True, default="")
    birth_date = EncryptedDateField(null=True, blank=True)
    higher_risk = models.BooleanField(
        default=False, help_text="The request calls the patient higher-risk (R5)."
    )
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                F("laboratory"), Upper("record_number"), name="patient_id_is_unique_in_laboratory"
            ),
            models.CheckConstraint(name="patient_has_an_id", condition=~Q(record_number="")),
        ]

    def __str__(self) -> str:
        return self.record_number


class CaseQuerySet(models.QuerySet["Case"]):
    def visible_to(self, user: User) -> CaseQuerySet:
        """The cases of the user's own laboratory: nothing crosses its border."""
        return self.filter(laboratory_id=user.laboratory_id)


class Case(models.Model):
    """One accessioned gynaecologic specimen (one slide); only `workflow` changes its status."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        QUEUED = "queued"
        CLASSIFYING = "classifying"
        FAILED = "failed"
        AWAITING_SCREENING = "awaiting_screening", "Awaiting screening"
        SCREENING = "screening", "In screening"
        AWAITING_RESCREEN = "awaiting_rescreen", "Held for rescreen"
        RESCREENING = "rescreening", "In rescreen"
        AWAITING_SIGNATURE = "awaiting_signature", "Awaiting signature"
        AWAITING_REVIEW = "awaiting_review", "Awaiting review"
        REVIEWING = "reviewing", "In review"
        SIGNED = "signed"

    class Priority(models.TextChoices):
        ROUTINE = "routine"
        URGENT = "urgent"

    # Where a person holds the case, and where it waits again once they hold it no more.
    BACK_TO: ClassVar[dict[str, str]] = {
        Status.SCREENING: Status.AWAITING_SCREENING,
        Status.RESCREENING: Status.AWAITING_RESCREEN,
        Status.REVIEWING: Status.AWAITING_REVIEW,
    }
    HELD = tuple(BACK_TO)

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    laboratory = models.ForeignKey(Laboratory, on_delete=models.PROTECT, related_name="cases")
    accession_number = models.CharField(max_length=40)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="cases")
    specimen_type = models.CharField(max_length=8, choices=SpecimenType.choices)
    collected_on = models.DateField(null=True, blank=True)
    priority = models.CharField(max_length=8, choices=Priority.choices, default=Priority.ROUTINE)
    clinical_note = models.TextField(blank=True, validators=[MaxLengthValidator(4000)])
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.DRAFT)
    accessioned_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    accessioned_at = models.DateTimeField(default=clock.now)
    due_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    reviewer = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    held_since = models.DateTimeField(null=True, blank=True)
    held_until = models.DateTimeField(
        null=True, blank=True, help_text="When the holder loses the case, unless they show up."
    )
    sent_back_to = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who is asked to mend the case, until it is submitted again.",
    )
    signed_at = models.DateTimeField(null=True, blank=True)

    objects = CaseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                F("laboratory"),
                Upper("accession_number"),
                name="accession_number_is_unique_in_laboratory",
                violation_error_message="This accession number is taken in your laboratory.",
            ),
            models.CheckConstraint(
                name="case_has_an_accession_number", condition=~Q(accession_number="")
            ),
            models.CheckConstraint(
                name="case_in_review_has_a_reviewer",
                condition=~Q(
                    status__in=["screening", "rescreening", "awaiting_signature", "reviewing"]
                )
                | Q(reviewer__isnull=False),
            ),
            models.CheckConstraint(
                name="case_is_held_for_a_time",
                condition=Q(
                    status__in=["screening", "rescreening", "reviewing"],
                    held_since__isnull=False,
                    held_until__isnull=False,
                )
                | (
                    ~Q(status__in=["screening", "rescreening", "reviewing"])
                    & Q(held_since__isnull=True, held_until__isnull=True)
                ),
            ),
            models.CheckConstraint(
                name="case_signed_has_reviewer_and_time",
                condition=Q(status="signed", reviewer__isnull=False, signed_at__isnull=False)
                | (~Q(status="signed") & Q(signed_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="case_past_draft_was_submitted",
                condition=Q(status="draft") | Q(submitted_at__isnull=False),
            ),
        ]
        indexes = [
            # the worklist: open cases of a laboratory, the longest overdue first
            models.Index(
                F("laboratory"),
                F("due_at"),
                name="case_open_by_due",
                condition=~Q(status="signed"),
            ),
            # the signed cases of a laboratory, newest first; turnaround on the dashboard
            models.Index(
                F("laboratory"),
                F("signed_at").desc(),
                name="case_signed_newest",
                condition=Q(status="signed"),
            ),
            # what the clock takes back from holders who have gone
            models.Index(
                fields=["held_until"],
                name="case_held_until",
                condition=Q(held_until__isnull=False),
            ),
            # the API's list, and the search without a state
            models.Index(F("laboratory"), F("accessioned_at").desc(), name="case_newest"),
        ]

    def __str__(self) -> str:
        return self.accession_number

    @property
    def is_moving(self) -> bool:
        """Whether a worker will change the case without anybody's doing."""
        return self.status in (self.Status.QUEUED, self.Status.CLASSIFYING)

    @property
    def holder(self) -> User | None:
        """Who has the case in hand: nobody else may change it."""
        return self.reviewer if self.status in self.HELD else None

    @property
    def is_hold_expired(self) -> bool:
        return self.held_until is not None and self.held_until < clock.now()

    @property
    def is_overdue(self) -> bool:
        return self.status != self.Status.SIGNED and self.due_at < clock.now()


class CellImage(models.Model):
    """One uploaded picture of one cell, stored once by content."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="images")
    name = models.CharField(max_length=200, help_text="As uploaded.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the stored picture.")
    source_digest = models.CharField(max_length=64, help_text="SHA-256 of the file as uploaded.")
    width = models.PositiveIntegerField(help_text="Pixels.")
    height = models.PositiveIntegerField(help_text="Pixels.")
    source_format = models.CharField(max_length=8)
    micrometres = models.FloatField(
        null=True, blank=True, help_text="Of a pixel's side, where the file's header says so."
    )
    uploaded_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["uploaded_at", "name", "pk"]
        constraints = [
            models.UniqueConstraint("case", "digest", name="image_is_in_a_case_once"),
            models.UniqueConstraint("case", "source_digest", name="file_is_in_a_case_once"),
        ]
        indexes = [
            # is a stored file still needed by any case?
            models.Index(fields=["digest"], name="image_by_digest"),
        ]

    def __str__(self) -> str:
        return self.name


class Run(models.Model):
    """One attempt to classify a case's images with one model version. The row is the queue."""

    class Status(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="runs")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    attempt = models.PositiveSmallIntegerField(
        default=1, help_text="Counts from one again when a person retries."
    )
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PENDING)
    queued_at = models.DateTimeField(default=clock.now)
    woken_at = models.DateTimeField(default=clock.now, help_text="When a worker was last called.")
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    failure = models.TextField(blank=True, help_text="Why it failed, as a sentence.")

    class Meta:
        ordering = ["queued_at"]
        constraints = [
            models.UniqueConstraint(
                "case", name="case_has_one_live_run", condition=Q(status__in=["pending", "running"])
            ),
            models.CheckConstraint(
                name="run_that_failed_says_why", condition=~Q(status="failed") | ~Q(failure="")
            ),
            models.CheckConstraint(
                name="run_that_runs_has_a_heartbeat",
                condition=~Q(status="running") | Q(heartbeat_at__isnull=False),
            ),
        ]
        indexes = [
            # what `recover` looks through every minute
            models.Index(
                fields=["status", "heartbeat_at"],
                name="run_live",
                condition=Q(status__in=["pending", "running"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case} run {self.attempt}"


class PredictionQuerySet(models.QuerySet["Prediction"]):
    def without_arrays(self) -> PredictionQuerySet:
        """The answers as lists show them: three kilobytes a cell are left in the database."""
        return self.defer(*ARRAYS)


ARRAYS = ("activation_maps", "features")


class Prediction(models.Model):
    """A model version's answer for one cell image. There is one for each pair, and it stays.

    An answer with ``reasons`` is an abstention: the cell needs a human look, and the likeliest
    class is a number behind it, not a class that the model stands by (R24).
    """

    image = models.ForeignKey(CellImage, on_delete=models.PROTECT, related_name="predictions")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="predictions")
    probabilities = ArrayField(
        models.FloatField(), size=len(CellClass), help_text="In the order of the model's labels."
    )
    cell_class = models.CharField(
        max_length=24, choices=CELL_CLASSES, help_text="The likeliest; see `stated_class`."
    )
    confidence = models.FloatField(help_text="The largest probability.")
    abnormality = models.FloatField(help_text="The sum of the abnormal classes' probabilities.")
    prediction_set = ArrayField(
        models.CharField(max_length=24, choices=CELL_CLASSES),
        default=list,
        blank=True,
        size=len(CellClass),
        help_text="The classes the cell may be of, by falling probability.",
    )
    familiarity = models.FloatField(
        null=True, help_text="The share of the known cells that are less like them than this one."
    )
    level = models.FloatField(
        null=True, help_text="The level of the prediction set when it was made."
    )
    threshold = models.FloatField(
        null=True, help_text="The largest score that a class of the set might have."
    )
    disagreement = models.FloatField(
        null=True, help_text="How far the networks of an ensemble were from their mean; 0 is not."
    )
    reasons = ArrayField(
        models.TextField(), default=list, blank=True, help_text="Why it abstains, in sentences."
    )
    activation_maps = models.BinaryField(null=True, help_text="See `cases.activation`.")
    features = models.BinaryField(
        null=True, help_text="What the last layer saw, as 1,280 numbers of two bytes."
    )
    created_at = models.DateTimeField(default=clock.now)

    objects = PredictionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "image", "model_version", name="image_has_one_prediction_per_model_version"
            ),
            models.CheckConstraint(
                name="prediction_is_a_probability",
                condition=Q(confidence__gte=0, confidence__lte=1, abnormality__gte=0)
                & Q(abnormality__lte=1.0001, probabilities__len=len(CellClass)),
            ),
            models.CheckConstraint(
                name="prediction_has_a_known_class",
                condition=Q(cell_class__in=[cell_class.value for cell_class in CellClass]),
            ),
            models.CheckConstraint(
                name="prediction_set_is_of_known_classes_and_begins_with_the_likeliest",
                condition=Q(prediction_set__contained_by=[c.value for c in CellClass])
                & (Q(prediction_set=[]) | Q(prediction_set__0=F("cell_class"))),
            ),
            models.CheckConstraint(
                name="prediction_that_cannot_tell_classes_apart_abstains",
                condition=Q(prediction_set__len__lte=1) | ~Q(reasons=[]),
            ),
            models.CheckConstraint(
                name="prediction_abstains_with_words", condition=~Q(reasons__contains=[""])
            ),
            models.CheckConstraint(
                name="prediction_familiarity_is_a_share",
                condition=Q(familiarity__isnull=True) | Q(familiarity__gte=0, familiarity__lte=1),
            ),
            models.CheckConstraint(
                name="prediction_set_has_the_level_it_was_made_with",
                condition=Q(level__isnull=True, threshold__isnull=True)
                | Q(level__isnull=False, threshold__isnull=False)
                & Q(level__gt=0, level__lt=1, threshold__gte=0, threshold__lte=1),
            ),
            models.CheckConstraint(
                name="prediction_disagreement_is_a_share",
                condition=Q(disagreement__isnull=True)
                | Q(disagreement__gte=0, disagreement__lte=1),
            ),
            models.CheckConstraint(
                name="prediction_arrays_are_whole",
                condition=(
                    Q(activation_maps__isnull=True)
                    | Q(In(Length("activation_maps"), [*activation.MAP_BYTES]))
                )
                & (
                    Q(features__isnull=True)
                    | Q(Exact(Length("features"), activation.FEATURE_BYTES))
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stated_class or 'needs a human look'} {self.confidence:.2f}"

    @property
    def abstained(self) -> bool:
        """Whether the model leaves the cell to a person; ``reasons`` say why."""
        return bool(self.reasons)

    @property
    def stated_class(self) -> str:
        """The class that the model stands by; empty where it abstains."""
        return "" if self.abstained else self.cell_class


class ClassificationFailure(models.Model):
    """An image that a run could not read, and why; the other images of the run are unharmed."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="failures")
    image = models.ForeignKey(CellImage, on_delete=models.PROTECT, related_name="failures")
    reason = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint("run", "image", name="image_fails_a_run_once")]

    def __str__(self) -> str:
        return self.reason


class Review(models.Model):
    """One person's read of a case: begun by `claim`, and kept for ever (R11).

    What the reader committed as their own is locked by the database. ``read`` is what they stand
    by in the end; the two may differ only where the model's output was shown in between (R22).
    """

    class Kind(models.TextChoices):
        SCREENING = "screening"
        RESCREEN = "rescreen"
        REVIEW = "review"
        ADJUDICATION = "adjudication"

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="reviews")
    reader = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.REVIEW)
    is_blind = models.BooleanField(
        default=False, help_text="The model's output was hidden until the reader committed."
    )
    started_at = models.DateTimeField(default=clock.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    committed_at = models.DateTimeField(null=True, blank=True)
    committed_read = models.JSONField(
        null=True, blank=True, help_text="Adequacy and interpretation, as committed."
    )
    read = models.JSONField(
        null=True, blank=True, help_text="Adequacy and interpretation, once concluded or signed."
    )
    change_reason = models.TextField(
        blank=True, help_text="Why the read was changed after the model's output was shown."
    )
    outcome = models.CharField(
        max_length=12, blank=True, choices=[(one.value, one.value) for one in policy.Outcome]
    )
    why = models.TextField(blank=True, help_text="Why this outcome, with its rule.")

    class Meta:
        ordering = ["started_at"]
        constraints = [
            models.UniqueConstraint(
                "case", "reader", "kind", name="reader_has_one_review_of_a_kind_of_a_case"
            ),
            models.UniqueConstraint(
                "case", name="case_has_one_open_review", condition=Q(ended_at=None)
            ),
            models.CheckConstraint(
                name="review_is_committed_with_its_read",
                condition=Q(committed_at=None, committed_read__isnull=True)
                | Q(committed_at__isnull=False, committed_read__isnull=False),
            ),
            models.CheckConstraint(
                name="review_with_an_outcome_says_why",
                condition=(Q(outcome="") & Q(why="")) | (~Q(outcome="") & ~Q(why="")),
            ),
            models.CheckConstraint(
                name="review_that_is_a_rescreen_is_blind",
                condition=~Q(kind="rescreen") | Q(is_blind=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case} by {self.reader}"

    @property
    def awaits_commit(self) -> bool:
        """Whether the reader's own read is still to be committed before anything else is shown."""
        is_first = self.kind in (self.Kind.SCREENING, self.Kind.RESCREEN)
        return self.committed_at is None and (self.is_blind or is_first)


class Finding(models.Model):
    """A person's class for one cell image, or why they exclude it. Never filled in by the model.

    A finding is not edited: a new one is made and the old one withdrawn, so that the history of a
    reader's mind is kept.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="findings")
    image = models.ForeignKey(CellImage, on_delete=models.PROTECT, related_name="findings")
    cell_class = models.CharField(max_length=24, choices=CELL_CLASSES, blank=True)
    exclusion = models.CharField(max_length=200, blank=True, help_text="Why it is not counted.")
    prediction = models.ForeignKey(
        Prediction,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The model's answer beside which the finding was made, shown then or not.",
    )
    made_at = models.DateTimeField(default=clock.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["made_at"]
        constraints = [
            models.UniqueConstraint(
                "review",
                "image",
                name="reader_has_one_finding_per_image",
                condition=Q(withdrawn_at=None),
            ),
            models.CheckConstraint(
                name="finding_is_a_class_or_an_exclusion",
                condition=(Q(cell_class="") & ~Q(exclusion=""))
                | (~Q(cell_class="") & Q(exclusion="")),
            ),
        ]

    def __str__(self) -> str:
        return self.cell_class or f"excluded: {self.exclusion}"

    @property
    def agrees(self) -> bool | None:
        """Whether the reader said what the model said; None where there is nothing to compare."""
        stated = self.prediction.stated_class if self.prediction else ""
        if not stated or not self.cell_class:
            return None
        return self.cell_class == stated


class Comment(models.Model):
    """What a colleague was told about a case that was passed on to them; it stays."""

    class Reason(models.TextChoices):
        HAND_OVER = "hand_over", "Handed over"
        SEND_BACK = "send_back", "Sent back"

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="comments")
    reason = models.CharField(max_length=12, choices=Reason.choices)
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    to = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.CheckConstraint(
                name="case_sent_back_comes_with_words",
                condition=~Q(reason="send_back") | ~Q(text=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.author} to {self.to}: {self.text}"


class Task(models.Model):
    """Something to be looked into about a signed case, and what came of it (R7)."""

    class Kind(models.TextChoices):
        LOOK_BACK = "look_back", "Look-back"

    class Result(models.TextChoices):
        CONFIRMED = "confirmed", "Confirmed: the specimen is negative"
        DISCREPANCY = "discrepancy", "Discrepancy that does not affect care"
        AFFECTS_CARE = "affects_care", "Discrepancy that affects care"

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="tasks")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.LOOK_BACK)
    trigger = models.ForeignKey(
        Case,
        on_delete=models.PROTECT,
        related_name="triggered",
        help_text="What asks for it.",
    )
    opened_at = models.DateTimeField(default=clock.now)
    done_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    done_at = models.DateTimeField(null=True, blank=True)
    result = models.CharField(max_length=12, choices=Result.choices, blank=True)
    note = models.TextField(blank=True)
    notified = models.CharField(max_length=200, blank=True)
    notified_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["opened_at", "pk"]
        constraints = [
            models.UniqueConstraint("case", "trigger", "kind", name="task_is_opened_once"),
            models.CheckConstraint(
                name="task_is_done_by_somebody_with_a_result",
                condition=Q(done_at=None, done_by=None, result="")
                | (Q(done_at__isnull=False, done_by__isnull=False) & ~Q(result="")),
            ),
            models.CheckConstraint(
                name="task_that_affects_care_names_who_was_notified",
                condition=~Q(result="affects_care")
                | (~Q(notified="") & Q(notified_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at {self.case} for {self.trigger}"


class Histology(models.Model):
    """What the tissue of a patient showed, and how it compares with the cytology (R8)."""

    class Source(models.TextChoices):
        BIOPSY = "biopsy", "Cervical biopsy"
        CURETTAGE = "curettage", "Endocervical curettage"
        EXCISION = "excision", "Excision or cone"
        HYSTERECTOMY = "hysterectomy", "Hysterectomy"
        OTHER = "other", "Other tissue"

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="histologies")
    source = models.CharField(max_length=12, choices=Source.choices)
    reported_on = models.DateField()
    result = models.CharField(max_length=12, choices=correlation.HistologyResult.choices)
    cytology = models.JSONField(help_text="The read that it was compared with.")
    agreement = models.CharField(max_length=8, choices=correlation.Agreement.choices)
    steps = models.PositiveSmallIntegerField()
    cause = models.CharField(max_length=12, choices=correlation.Cause.choices, blank=True)
    note = models.TextField(blank=True)
    recorded_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-recorded_at", "-pk"]
        verbose_name_plural = "histologies"
        constraints = [
            models.CheckConstraint(
                name="histology_that_differs_has_a_cause",
                condition=(Q(agreement__in=["step", "major"]) & ~Q(cause=""))
                | (~Q(agreement__in=["step", "major"]) & Q(cause="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_result_display()} of {self.case}"


class WorkloadLimit(models.Model):
    """How many slides a person may read in a day, as a pathologist judged (R9); the last holds."""

    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="workload_limits")
    hours = models.DecimalField(max_digits=3, decimal_places=1, help_text="Of reading in a day.")
    slides = models.PositiveSmallIntegerField(help_text="In 24 hours.")
    set_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["set_at", "pk"]
        constraints = [
            models.CheckConstraint(
                name="workload_is_under_the_ceiling",
                condition=Q(hours__gt=0, hours__lte=24, slides__lte=100)
                & Q(slides__lte=F("hours") * 100 / 8),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.slides}"


class ReaderPreferences(models.Model):
    """How one person likes to read: the layout of the gallery, and the keys they changed."""

    reader = models.OneToOneField(User, on_delete=models.CASCADE, related_name="+")
    layout = models.JSONField(default=dict, help_text="See `cases.arrangement`.")
    keys = models.JSONField(default=dict, help_text="See `cases.keys`.")

    class Meta:
        verbose_name_plural = "reader preferences"

    def __str__(self) -> str:
        return f"preferences of {self.reader}"

    @classmethod
    def of(cls, reader: User) -> ReaderPreferences:
        """Theirs, or the defaults where they never chose anything."""
        return cls.objects.filter(reader=reader).first() or cls(reader=reader)


class Display(models.Model):
    """That a cell image was in sight of a reader of its case, and since when.

    A reader signs what they have seen: `sign` refuses while a cell was neither displayed to them
    nor excluded by them. A colleague's displays count for the colleague alone.
    """

    image = models.ForeignKey(CellImage, on_delete=models.PROTECT, related_name="displays")
    reader = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint("image", "reader", name="image_is_displayed_to_a_reader_once"),
        ]

    def __str__(self) -> str:
        return f"{self.image} to {self.reader}"


class ReportQuerySet(models.QuerySet["Report"]):
    def current(self) -> ReportQuerySet:
        """The newest version of each case: the report that is in force."""
        newer = Report.objects.filter(case=OuterRef("case"), version__gt=OuterRef("version"))
        return self.filter(~Exists(newer))


class Report(models.Model):
    """One version of the signed document, and the digest that its signature is bound to (R16).

    No version is edited: a change after release is the next version (R12).
    """

    class Kind(models.TextChoices):
        ORIGINAL = "original", "Report"
        ADDENDUM = "addendum"
        AMENDMENT = "amendment"
        CORRECTION = "correction"

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="reports")
    version = models.PositiveSmallIntegerField(default=1)
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.ORIGINAL)
    content = models.TextField(help_text="Canonical JSON; see `cases.signature`.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the content.")
    read = models.GeneratedField(
        expression=KeyTransform("read", Cast("content", models.JSONField())),
        output_field=models.JSONField(),
        db_persist=True,
        help_text="The content's own, for counting: the database takes it from there.",
    )
    signed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    signed_at = models.DateTimeField()

    objects = ReportQuerySet.as_manager()

    class Meta:
        ordering = ["version"]
        constraints = [
            models.UniqueConstraint("case", "version", name="report_version_is_written_once"),
            models.CheckConstraint(
                name="report_after_the_first_changes_one",
                condition=Q(version=1, kind="original") | Q(version__gt=1) & ~Q(kind="original"),
            ),
        ]
        indexes = [
            # the page that verifies a report on paper
            models.Index(fields=["digest"], name="report_by_digest"),
        ]

    def __str__(self) -> str:
        return f"{self.case} report {self.version}"


class RescreenDraw(models.Model):
    """One draw: whether a negative read is held for rescreen, and what it takes to draw again (R5).

    ``seed`` is that of the series, ``rank`` the place of the read in it; see `policy.drawn`.
    """

    laboratory = models.ForeignKey(Laboratory, on_delete=models.PROTECT, related_name="+")
    review = models.OneToOneField(Review, on_delete=models.PROTECT, related_name="draw")
    series = models.PositiveIntegerField()
    rank = models.PositiveSmallIntegerField()
    seed = models.CharField(max_length=32)
    share = models.PositiveSmallIntegerField(help_text="Percent, as the laboratory had chosen.")
    is_drawn = models.BooleanField(help_text="At random, by seed and rank.")
    higher_risk = models.CharField(max_length=100, blank=True, help_text="Why; empty where not.")
    drawn_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["laboratory", "series", "rank"]
        constraints = [
            models.UniqueConstraint(
                "laboratory", "series", "rank", name="rank_is_drawn_once_in_a_series"
            ),
            models.CheckConstraint(
                name="draw_never_takes_less_than_ten_percent", condition=Q(share__gte=10)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.series}/{self.rank}"

    @property
    def chosen(self) -> frozenset[int]:
        """The ranks of this series that are drawn, from the record alone."""
        return policy.drawn(self.seed, self.share)

    @property
    def is_held(self) -> bool:
        return self.is_drawn or bool(self.higher_risk)


class AuditEvent(ChainedEvent):
    """What happened to a case: append-only and chained, by triggers in the database (R18)."""

    id = models.BigAutoField(primary_key=True)
    laboratory = models.ForeignKey(Laboratory, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="events")
    actor = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(max_length=40)
    from_status = models.CharField(max_length=20, blank=True)
    to_status = models.CharField(max_length=20, blank=True)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                "laboratory", "sequence", name="audit_event_has_its_place_in_the_chain"
            ),
        ]
        indexes = [
            # did this person look at the case lately? asked by every page of it
            models.Index(
                fields=["case", "actor", "at"], name="audit_event_view", condition=Q(action="view")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.at:%Y-%m-%d %H:%M}"
