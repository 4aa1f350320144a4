"""The trail of a case: written in the transaction of the change it tells of, never changed."""

from datetime import timedelta

from django.db.models import QuerySet

from accounts.models import User
from cases import clock
from cases.models import AuditEvent, Case, Patient

VIEW = "view"
# One event tells of all that a person looks at in a case meanwhile: a reader turns to another cell
# every second, and each event waits for the one before it.
ONE_VIEW = timedelta(minutes=15)


def record(
    case: Case,
    actor: User | None,
    action: str,
    *,
    from_status: str = "",
    to_status: str = "",
    **detail: object,
) -> AuditEvent:
    """Add what happened; `actor` is None where a worker or the clock did it."""
    return AuditEvent.objects.create(
        laboratory_id=case.laboratory_id,
        case=case,
        actor=actor,
        action=action,
        from_status=from_status,
        to_status=to_status,
        detail=detail,
        at=clock.now(),
    )


def viewed(case: Case, reader: User) -> None:
    """Note that a person saw the case, once in a while; a query for a page, an event for a visit.

    Two pages opened at the same moment may both be noted, which does no harm.
    """
    since = clock.now() - ONE_VIEW
    earlier = AuditEvent.objects.filter(case=case, actor=reader, action=VIEW, at__gt=since)
    if not earlier.exists():
        record(case, reader, VIEW)


def trail(case: Case, *, with_views: bool) -> QuerySet[AuditEvent]:
    """Everything that happened to a case, oldest first, with or without who looked at it."""
    events = case.events.select_related("actor").order_by("pk")
    return events if with_views else events.exclude(action=VIEW)


def identity_is_erased(patient: Patient) -> bool:
    """Whether who this patient is was destroyed on request (R21).

    A case that had a wrong id then may belong to somebody else now, so the event names the id.
    """
    erased = AuditEvent.objects.filter(case__patient=patient, action="erase_identity")
    return erased.filter(detail__patient=patient.record_number).exists()
