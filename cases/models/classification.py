"""What the model said: the runs of a case and the answer for each cell."""

from __future__ import annotations

from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length
from django.db.models.lookups import Exact, In

from cases import activation, clock
from cases.models.case import Case, CellImage
from inference.labels import CellClass
from inference.models import ModelVersion

CELL_CLASSES = [(cell_class.value, cell_class.value) for cell_class in CellClass]
ABNORMAL_CLASSES = [cell_class.value for cell_class in CellClass if cell_class.is_abnormal]
ARRAYS = ("activation_maps", "features")  # of a prediction: kilobytes that lists do not show


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
