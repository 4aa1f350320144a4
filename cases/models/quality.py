"""What follows a signature: look-backs, histology, and how much a person may read."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from accounts.models import User
from cases import clock, correlation
from cases.models.case import Case


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
