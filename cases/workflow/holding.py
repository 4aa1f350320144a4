"""Holding a case: a person shows that they are there, and the clock takes back what they left."""

from django.db.models import QuerySet
from django.db.transaction import atomic

from accounts.models import User
from cases import clock
from cases.models import Case, Review
from cases.workflow.transition import InvalidTransition, keep, locked, require, transition


def heartbeat(case: Case, user: User) -> Case:
    """Keep a case that one holds: the page says this for a person who is active there."""
    with atomic():
        case = locked(case, "keep", *Case.HELD)
        require_holder(case, user)
        keep(case)
        case.save(update_fields=["held_until"])
    return case


def require_holder(case: Case, user: User) -> None:
    """Refuse everyone else, with the name of who holds the case."""
    if case.holder != user:
        holder = case.holder.name if case.holder else "Nobody"
        require(answer=False, message=f"{holder} holds this case: nothing was changed.")


def expire(case: Case) -> Case:
    """Take a case back from a holder who was idle too long; what they found is kept."""
    with atomic():
        held = locked(case, "take back", *Case.HELD)
        if not held.is_hold_expired:
            raise InvalidTransition("The holder of this case has shown themself again.")
        with transition(held, None, "expire", held.status, Case.BACK_TO[held.status]) as (
            case,
            detail,
        ):
            detail["held_by"] = case.holder and case.holder.pk
            let_go(case)
    return case


def expire_idle(cases: QuerySet[Case] | None = None) -> int:
    """Take back every case that an idle person holds; at any time, in several places at once.

    Returns how many.
    """
    held = Case.objects.all() if cases is None else cases
    taken = 0
    for case in held.filter(held_until__lt=clock.now()):
        try:
            expire(case)
        except InvalidTransition:  # another look was quicker, or the holder came back
            continue
        taken += 1
    return taken


def let_go(case: Case) -> None:
    """End the read that is open; its findings stay for when the reader claims the case again."""
    Review.objects.filter(case=case, ended_at=None).update(ended_at=clock.now())
    case.reviewer = None
