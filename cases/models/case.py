"""A case: whose specimen it is, where it stands, and the pictures of its cells."""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from accounts.models import Laboratory, User
from cases import clock
from cases.bethesda import SpecimenType
from cases.encryption import EncryptedDateField, EncryptedTextField


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

    def with_people(self) -> CaseQuerySet:
        """With what verbs, pages and answers look at in every case."""
        return self.select_related("laboratory", "patient", "accessioned_by", "reviewer")


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
    # Not every laboratory screens: where no case is in these, lists and charts leave them out.
    OF_SCREENING = (
        Status.AWAITING_SCREENING,
        Status.SCREENING,
        Status.AWAITING_RESCREEN,
        Status.RESCREENING,
        Status.AWAITING_SIGNATURE,
    )

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
        help_text="Who is asked to mend the case or to screen it again, until they have.",
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
