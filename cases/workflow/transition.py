"""What all verbs share: the lock, the check of the state, the audit event."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.transaction import atomic
from django.utils import timezone

from accounts.authentication import Reauthentication
from accounts.models import User
from cases import audit, clock
from cases.models import Case

REAUTHENTICATION_LIFETIME = timedelta(minutes=2)


class InvalidTransition(Exception):
    """The verb does not fit the case as it is now; the message says so to a person."""


class Refused(Exception):
    """What was asked for breaks a rule of the laboratory; the message names it to a person."""


def require(answer: bool, message: str = "Your role does not allow this.") -> None:
    if not answer:
        raise PermissionDenied(message)


def require_fresh(proof: Reauthentication, user: User) -> None:
    """Refuse a signature without the signer's own credentials, given just now (R15)."""
    is_fresh = timezone.now() - proof.at < REAUTHENTICATION_LIFETIME
    require(proof.user_id == user.pk and is_fresh, "Signing asks for your password.")


def locked(case: Case, action: str, *sources: str) -> Case:
    """The fresh case under a lock, in one of these states.

    The lock lets through what only refers to the case: an event of somebody who looks at it holds
    the chain that the verb asks for next, and would wait for the case as long. Whose the case is,
    is asked once it is there: beside a row that was waited for, others are as they were before.
    """
    Case.objects.select_for_update(no_key=True).only("pk").get(pk=case.pk)
    fresh = Case.objects.with_people().get(pk=case.pk)
    if fresh.status not in sources:
        state = fresh.get_status_display().lower()
        raise InvalidTransition(f"Cannot {action} a case that is {state}{_and_with_whom(fresh)}")
    return fresh


def _and_with_whom(case: Case) -> str:
    """The rest of a refusal: who has the case, or that nobody has it any more."""
    if case.holder:
        return f": {case.holder.name} holds it."
    if case.status in Case.BACK_TO.values():
        return ": nobody holds it. Claim it first; earlier findings of yours are kept."
    return "."


def keep(case: Case) -> None:
    """Count the time anew after which an idle holder loses the case."""
    case.held_until = clock.now() + timedelta(seconds=settings.CLAIM_EXPIRES_AFTER)


@contextmanager
def transition(
    case: Case, actor: User | None, action: str, source: str, target: str
) -> Iterator[tuple[Case, dict[str, Any]]]:
    """Lock the case, check its state, yield it for changes, move it on, record the event.

    The dict that is yielded beside the case becomes the event's detail.
    """
    with one_of(case, action, {source: target}, actor) as yielded:
        yield yielded


@contextmanager
def one_of(
    case: Case, action: str, targets: Mapping[str, str], actor: User | None
) -> Iterator[tuple[Case, dict[str, Any]]]:
    """The same where a case moves on from several states, each to a state of its own."""
    with atomic():
        fresh = locked(case, action, *targets)
        detail: dict[str, Any] = {}
        yield fresh, detail
        move(fresh, actor, action, targets[fresh.status], **detail)


def move(case: Case, actor: User | None, action: str, target: str, **detail: object) -> None:
    """Bring a locked case to a state that only the verb itself could know, and record the event."""
    source, case.status = case.status, target
    if target not in Case.HELD:
        case.held_since = case.held_until = None
    elif source not in Case.HELD:
        case.held_since = clock.now()
        keep(case)
    case.save()
    audit.record(case, actor, action, from_status=source, to_status=target, **detail)
