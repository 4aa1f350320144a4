"""Who is there: at log-in, and again to sign (R15); whoever is not recognised is recorded (R18)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast
from zoneinfo import ZoneInfo

from django.contrib.auth import authenticate
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request as ApiRequest

from accounts import events, lockout
from accounts.events import Action
from accounts.models import User


class WrongPassword(Exception):
    """The password was not this person's, or too many were tried; the sentence says which."""


@dataclass(frozen=True, slots=True)
class Reauthentication:
    """Proof that this person gave their credentials again, at this moment."""

    user_id: int
    at: datetime
    method: Literal["password"]


def recognise(request: HttpRequest, email: str, where: str, *, password: str) -> User | None:
    """The active person whose password this is; a failure counts, and is an event of theirs.

    What is tried while an account is locked is not looked at and leaves no event, so that nobody
    can fill the record. A failure of an address without an account is in no laboratory's record.
    """
    was_locked = lockout.failures_of(email).locked_until is not None
    user = authenticate(request, username=email, password=password)
    if user is None and not was_locked:
        _record_failure(email, "password", where)
    return user


def _record_failure(email: str, what: str, where: str) -> None:
    person = User.objects.select_related("laboratory").filter(email=email).first()
    if person is None:
        return
    laboratory = person.laboratory
    events.record(Action.NOT_RECOGNISED, laboratory, None, person, what=what, where=where)
    failures = lockout.failures_of(email)
    if failures.locked_until:
        events.record(Action.LOCKED_OUT, laboratory, None, person, failures=failures.count)


def reauthenticate(request: HttpRequest | ApiRequest, password: str) -> Reauthentication:
    """Check the password of the person behind the request; failures count towards the lock-out."""
    asked = cast("User", request.user)  # every page that asks requires a login
    email = asked.email
    # A request of its own: the lock-out keeps a copy of what was posted with a wrong password,
    # and the rest of the form (a report, a new password) is none of its business. Nor does it
    # replace the page that asks, with everything typed into it, by the one that says "locked".
    attempt = HttpRequest()
    attempt.method, attempt.path, attempt.META = "POST", request.path, request.META
    user = recognise(attempt, email, "to confirm who they are", password=password)
    if user is None:
        raise WrongPassword(_refusal(email, asked.laboratory.zone))
    lockout.forget(email)
    return Reauthentication(user_id=user.pk, at=timezone.now(), method="password")


def _refusal(email: str, zone: ZoneInfo) -> str:
    until = lockout.failures_of(email).locked_until
    if until is None:
        return "That is not your password."
    moment = until.astimezone(zone)  # a request with a token has no zone of its own
    return (
        f"Too many wrong passwords: yours is not accepted until {moment:%H:%M}. "
        "An administrator of your laboratory can unlock it sooner."
    )
