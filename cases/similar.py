"""The most similar cells that pathologists of the same laboratory have confirmed.

Nearest by the cosine between what the last layer saw, as the same model version stored it. Only
signed cases count, and of those the newest, so that the question stays bounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.db.models import F

from cases import activation, queries
from cases.models import Case, CellImage, Finding
from cases.sight import Sight

MOST = 6
LOOKED_AT = 4000  # the newest confirmed cells: ten megabytes of features


@dataclass(frozen=True, slots=True)
class Similar:
    """A confirmed cell with its class, and how alike it is, from -1 to 1."""

    finding: Finding
    likeness: float


def most_similar(case: Case, image: CellImage, sight: Sight) -> Sequence[Similar]:
    """The confirmed cells nearest to this one, the nearest first; none where nothing is stored.

    Where the reader may not see the model's answer there is nothing to compare with either.
    """
    own = (
        queries.shown_predictions(case, sight)
        .filter(image=image, features__isnull=False)
        .values_list("model_version", "features")
        .first()
    )
    version, features = own or (0, None)
    if features is None:
        return []
    known = _confirmed(case, image, version)
    if not known:
        return []
    likenesses = activation.likeness(bytes(features), [stored for _, stored in known])
    nearest = np.argsort(-likenesses, kind="stable")[:MOST]
    findings = Finding.objects.select_related("image__case").in_bulk([known[n][0] for n in nearest])
    return [Similar(findings[known[n][0]], float(likenesses[n])) for n in nearest]


def _confirmed(case: Case, image: CellImage, version: int) -> list[tuple[UUID, bytes]]:
    """Findings of signed cases of this laboratory with the features of their cells."""
    findings = Finding.objects.filter(
        review__case__laboratory=case.laboratory_id,
        review__case__status=Case.Status.SIGNED,
        review__reader=F("review__case__reviewer"),
        review__ended_at=F("review__case__signed_at"),
        withdrawn_at=None,
        image__predictions__model_version=version,
        image__predictions__features__isnull=False,
    )
    newest = findings.exclude(cell_class="").exclude(image__digest=image.digest)
    rows = newest.order_by("-review__case__signed_at", "pk")
    stored = rows.values_list("pk", "image__predictions__features")[:LOOKED_AT]
    return [(pk, bytes(features)) for pk, features in stored if features is not None]
