"""A finding in the making: what a person says of one cell, and whether it can be kept."""

from dataclasses import dataclass
from uuid import UUID

from accounts.models import User
from cases import clock
from cases.models import CellImage, Finding, Prediction, Review
from cases.workflow import words
from cases.workflow.transition import Refused
from inference.labels import CellClass

LONGEST_EXCLUSION = 200  # characters, as the column has


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A reader's word on one image: a class, a reason to exclude it, or neither to undo theirs.

    ``replaces`` is the finding that the reader saw: a stale page cannot overwrite a newer one.
    """

    image_id: UUID
    cell_class: str = ""
    exclusion: str = ""
    replaces: UUID | None = None


def make_finding(
    review: Review,
    image: CellImage,
    decision: Decision,
    prediction: Prediction | None,
    amended_by: User | None = None,
) -> Finding:
    """Keep what was said of a cell in a read, or refuse what cannot be said of one."""
    exclusion = words.kept(decision.exclusion, "reason", LONGEST_EXCLUSION)
    if decision.cell_class and decision.cell_class not in set(CellClass):
        raise Refused(f"{decision.cell_class} is not one of the five classes.")
    if decision.cell_class and decision.exclusion:
        raise Refused("A cell has a class or is excluded, not both.")
    if decision.exclusion and not exclusion:
        raise Refused("Say why the cell is excluded.")
    return Finding.objects.create(
        review=review,
        image=image,
        cell_class=decision.cell_class,
        exclusion=exclusion,
        prediction=prediction,
        amended_by=amended_by,
        made_at=clock.now(),
    )
