"""How a laboratory reads its cases, and how one person likes to."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import Laboratory, User
from cases import policy
from inference.calibration import LEVELS
from inference.models import ModelVersion

SET_LEVELS = [(level, f"{level * 100:.0f} %") for level in LEVELS]


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
