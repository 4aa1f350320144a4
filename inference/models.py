"""The models this installation knows; what each run was answered by is a foreign key to a row."""

from django.db import models
from django.db.models import Q

from inference.manifest import Manifest


class ModelVersion(models.Model):
    """A registered model: which files it is made of, and how it fared when it was measured.

    ``digest`` is the SHA-256 of all that decides an answer (``Manifest.digest``). ``figures`` are
    shares by part of the grouped split, as in ``model.json``.
    """

    name = models.CharField(max_length=100, unique=True)
    digest = models.CharField(max_length=64)
    labels = models.JSONField()
    preprocessing_version = models.CharField(max_length=50)
    figures = models.JSONField()
    is_current = models.BooleanField(default=False)
    registered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-registered_at"]
        constraints = [
            models.UniqueConstraint(
                name="model_version_one_is_current",
                fields=["is_current"],
                condition=Q(is_current=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def described_by(cls, manifest: Manifest) -> "ModelVersion":
        """The unsaved row of a model folder."""
        return cls(
            name=manifest.name,
            digest=manifest.digest,
            labels=manifest.labels,
            preprocessing_version=manifest.preprocessing_version,
            figures=manifest.figures,
        )
