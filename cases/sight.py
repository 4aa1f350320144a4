"""Who sees what of a case before it is read: the model's output (R22) and others' reads (R6).

One rule, written as a condition on cases, so that pages, answers, lists and counts share it.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q

from accounts.models import User
from cases.models import Case, ReadingSettings, Review

Status = Case.Status
# where a later reader may have to be blind to what was read before them
_UNREAD = (Status.DRAFT, Status.QUEUED, Status.CLASSIFYING, Status.FAILED)
_OPEN = (Status.AWAITING_SIGNATURE, Status.AWAITING_REVIEW, Status.REVIEWING)


@dataclass(frozen=True, slots=True)
class Sight:
    """What one person sees of one case; of their own findings and reads they see all."""

    user_id: int | None
    model: bool
    reads: bool


WHOLE = Sight(None, model=True, reads=True)  # of the workflow itself, which shows nobody anything


def of(user: User, case: Case) -> Sight:
    seen = (
        Case.objects.filter(pk=case.pk)
        .annotate(model=_as_value(model_shown_to(user)), reads=_as_value(reads_shown_to(user)))
        .values_list("model", "reads")
        .get()
    )
    return Sight(user.pk, *seen)


def _as_value(condition: Q) -> Any:  # noqa: ANN401 -- an expression of Django's
    return Exists(Case.objects.filter(condition, pk=OuterRef("pk")))


def _own(user: User, **fields: Any) -> Exists:  # noqa: ANN401 -- of a review
    return Exists(Review.objects.filter(case=OuterRef("pk"), reader=user, **fields))


def _in_the_open() -> Q:
    """Nobody will have to read the case blind to what a colleague read before them."""
    return Q(status__in=_OPEN) | (
        Q(status__in=_UNREAD) & ~Q(laboratory__reading__primary_screening=True)
    )


def model_shown_to(user: User) -> Q:
    """The cases whose model output this person may see.

    Where they have committed a read, or the case is signed, always. Otherwise where they read
    assisted, or could not come to read it blind: not in a laboratory that reads blind first, and
    not before the first read of a case that may be rescreened.
    """
    blind_first = Q(laboratory__reading__reading_order=ReadingSettings.ReadingOrder.BLIND_FIRST)
    reads_blind = Q(_own(user, ended_at=None, is_blind=True))
    return (
        Q(status=Status.SIGNED)
        | Q(_own(user, committed_at__isnull=False))
        | Q(_own(user, ended_at=None, is_blind=False))
        | (_in_the_open() & ~blind_first & ~reads_blind)
    )


def reads_shown_to(user: User) -> Q:
    """The cases of which this person may see what others read."""
    return Q(status=Status.SIGNED) | Q(_own(user, committed_at__isnull=False)) | _in_the_open()
