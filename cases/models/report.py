"""The signed documents of a case."""

from __future__ import annotations

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Cast

from accounts.models import User
from cases.models.case import Case


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
