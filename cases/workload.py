"""How many slides a person may read (R9, R10): a ceiling for their safety, never a target.

A slide counts one, rescreens included. A read counts from the moment it is committed, and while it
is in hand; one that was given back without a result does not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.db.transaction import atomic

from accounts import events
from accounts.models import User
from cases import clock, permissions
from cases.models import Review, WorkloadLimit

CEILING = 100  # slides of a full day
FULL_DAY = 8  # hours, and no fewer
WINDOW = timedelta(hours=24)
REASSESSED_AFTER = timedelta(days=182)  # six months


def ceiling(hours: Decimal | float) -> int:
    """How many slides so many hours of reading allow: hours x 100 / 8, and never more than 100."""
    return min(CEILING, int(Decimal(str(hours)) * CEILING / FULL_DAY))


@dataclass(frozen=True, slots=True)
class Workload:
    """What holds for a person: their own limit where a pathologist has set one."""

    person: User
    limit: WorkloadLimit | None

    @property
    def slides(self) -> int:
        return self.limit.slides if self.limit else CEILING

    @property
    def reassess_by(self) -> datetime | None:
        return self.limit.set_at + REASSESSED_AFTER if self.limit else None

    @property
    def is_to_be_reassessed(self) -> bool:
        return self.reassess_by is not None and self.reassess_by < clock.now()


def of(person: User) -> Workload:
    return of_each([person])[0]


def of_each(people: Iterable[User]) -> list[Workload]:
    """That of several people, in their order, in one query."""
    limits = WorkloadLimit.objects.filter(person__in=people).select_related("set_by")
    newest = {limit.person_id: limit for limit in limits.order_by("set_at", "pk")}
    return [Workload(person, newest.get(person.pk)) for person in people]


def counted(person: User) -> QuerySet[Review]:
    """The reads of the last 24 hours that count, and those in hand."""
    return Review.objects.filter(
        Q(ended_at=None) | Q(committed_at__gt=clock.now() - WINDOW), reader=person
    )


def free_again_at(reads: QuerySet[Review], slides: int) -> datetime | None:
    """When so many of these counted reads are a day old that fewer than the limit are left.

    None where no moment can be named: what is in hand counts until it is finished.
    """
    beyond = reads.count() - slides  # one may be, or more where the limit was lowered since
    finished = reads.exclude(ended_at=None).order_by("committed_at")
    last = finished[beyond : beyond + 1].first()
    return last.committed_at + WINDOW if last and last.committed_at else None


class InvalidLimit(ValueError):
    """What was asked for is above the ceiling; the message says so to a person."""


def set_limit(person: User, by: User, *, hours: Decimal, slides: int) -> WorkloadLimit:
    """Set the limit of a person, or confirm it after six months; the earlier ones are kept."""
    if not permissions.can_set_workload(by, person):
        raise PermissionDenied("Only pathologists set how much a person reads.")
    if slides > ceiling(hours):
        raise InvalidLimit(
            f"{hours} hours of reading allow at most {ceiling(hours)} slides "
            f"({CEILING} in {FULL_DAY} hours) (R9)."
        )
    with atomic():
        before = of(person).limit
        limit = WorkloadLimit.objects.create(
            person=person, hours=hours, slides=slides, set_by=by, set_at=clock.now()
        )
        events.record(
            events.Action.WORKLOAD_SET,
            person.laboratory,
            by,
            person,
            changes={
                "slides": (before.slides if before else None, slides),
                "hours": (str(before.hours) if before else None, str(hours)),
            },
        )
    return limit
