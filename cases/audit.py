"""The trail of a case: written in the transaction of the change it tells of, never changed."""

from accounts.models import User
from cases import clock
from cases.models import AuditEvent, Case


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
