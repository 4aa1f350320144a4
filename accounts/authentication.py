"""Who is there: at log-in, and again to sign (R15); whoever is not recognised is recorded (R18).

To sign takes the password, and the second factor where the person has one. Both together open a
signing session, within which the password alone is enough. It is part of the session in the
browser: with that it ends, by log-off after idle time and by a new log-in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from django.contrib.auth import authenticate
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request as ApiRequest

from accounts import events, factors, lockout
from accounts.events import Action
from accounts.factors import Answer
from accounts.models import User
from accounts.passkeys import Site

SIGNING_SINCE = "signing_since"
CHALLENGE, OFFER = "passkey_challenge", "passkey_offer"
CHALLENGE_LIFETIME = timedelta(minutes=5)
AnyRequest = HttpRequest | ApiRequest


class WrongPassword(Exception):
    """The password was not this person's, or too many were tried; the sentence says which."""

    field = "password"


class WrongCode(WrongPassword):
    """The second factor is missing, or was not this person's."""

    field = "code"


@dataclass(frozen=True, slots=True)
class Reauthentication:
    """Proof that this person gave their credentials again, at this moment."""

    user_id: int
    at: datetime
    method: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person is asked for to sign now; ``since`` and ``until`` are of a signing session."""

    kinds: frozenset[str]
    minutes: int
    since: datetime | None = None

    @property
    def factor(self) -> bool:
        """Whether the second factor is asked for, beside the password."""
        return bool(self.kinds) and self.since is None

    @property
    def until(self) -> datetime | None:
        return self.since and self.since + timedelta(minutes=self.minutes)


def asked(request: AnyRequest) -> Asked:
    """What this person is asked for to sign now, and why."""
    user = cast("User", request.user)  # every page that asks requires a login
    minutes = user.laboratory.signing_minutes
    kinds = frozenset(factors.kinds_of(user))
    session = _session(request)
    since = session.get(SIGNING_SINCE) if session is not None and kinds else None
    if since is not None:
        begun = datetime.fromtimestamp(since, UTC)
        if timezone.now() - begun < timedelta(minutes=minutes):
            return Asked(kinds, minutes, begun)
    return Asked(kinds, minutes)


def reauthenticate(
    request: AnyRequest, password: str, code: str = "", passkey: str = ""
) -> Reauthentication:
    """Check that the person behind the request signs; failures count towards the lock-out.

    Raises `WrongPassword`, whose ``field`` says what was wrong.
    """
    user = confirm_password(request, password)
    asks = asked(request)
    method = "password"
    if not asks.kinds and user.laboratory.requires_second_factor and _session(request) is None:
        # In a browser this person would be led to the set-up, which asks for the password here.
        raise WrongCode(
            "Your laboratory requires a second factor to sign: set one up on your profile page."
        )
    if asks.factor:
        answer = answer_of(request, code, passkey)
        method = f"password and {prove(request, user, answer, 'to confirm who they are')}"
        session = _session(request)
        if session is not None:
            session[SIGNING_SINCE] = timezone.now().timestamp()
    lockout.forget(user.email)
    return Reauthentication(user_id=user.pk, at=timezone.now(), method=method)


def confirm_password(request: AnyRequest, password: str) -> User:
    """The person behind the request, if this is their password."""
    person = cast("User", request.user)
    user = recognise(_bare(request), person.email, "to confirm who they are", password=password)
    if user is None:
        raise WrongPassword(
            _locked(person.email, person.laboratory.zone) or "That is not your password."
        )
    if not factors.kinds_of(user):
        lockout.forget(user.email)
    return user


def prove(request: AnyRequest, user: User, answer: Answer, where: str) -> str:
    """By what the person proved who they are beside the password; raises `WrongCode`."""
    zone = user.laboratory.zone
    if not answer:
        raise WrongCode("Give a code of your app, a recovery code, or use a passkey as well.")
    was_locked = lockout.failures_of(user.email).locked_until is not None
    if authenticate(_bare(request), username=user.email, answer=answer) is None:
        if not was_locked:
            _record_failure(user.email, answer.kind, where)
        what = "passkey was not accepted" if answer.passkey else "code is not right, or was used"
        raise WrongCode(_locked(user.email, zone) or f"That {what}. Try again.")
    return answer.method


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


def keep_challenge(request: HttpRequest, state: Mapping[str, Any]) -> None:
    """Keep what a passkey is asked until it answers: once, and within five minutes."""
    request.session[CHALLENGE] = {"state": dict(state), "at": timezone.now().timestamp()}


def take_challenge(request: AnyRequest) -> Mapping[str, Any] | None:
    """What was asked last; whatever answer it gets, it is good for one."""
    session = _session(request)
    kept = session.pop(CHALLENGE, None) if session is not None else None
    if kept is None or timezone.now().timestamp() - kept["at"] > CHALLENGE_LIFETIME.total_seconds():
        return None
    return cast("Mapping[str, Any]", kept["state"])


def answer_of(request: AnyRequest, code: str, passkey: str) -> Answer:
    """What was given beside the password, with the question that a passkey answers."""
    if not passkey:
        return Answer(code=code)
    return Answer(passkey=passkey, site=Site.of(request), state=take_challenge(request))


def _session(request: AnyRequest) -> SessionBase | None:
    """The browser's session; a program with a token has none of its own."""
    if getattr(request, "auth", None) is not None:
        return None
    return cast("SessionBase | None", getattr(request, "session", None))


def _bare(request: AnyRequest) -> HttpRequest:
    """A request without what was posted.

    The lock-out keeps a copy of what was posted with a failure, and the rest of the form (a report,
    a new password) is none of its business. Nor does it replace the page that asks, with everything
    typed into it, by the one that says "locked".
    """
    bare = HttpRequest()
    bare.method, bare.path, bare.META = "POST", request.path, request.META
    return bare


def _record_failure(email: str, what: str, where: str) -> None:
    person = User.objects.select_related("laboratory").filter(email=email).first()
    if person is None:
        return
    laboratory = person.laboratory
    events.record(Action.NOT_RECOGNISED, laboratory, None, person, what=what, where=where)
    failures = lockout.failures_of(email)
    if failures.locked_until:
        events.record(Action.LOCKED_OUT, laboratory, None, person, failures=failures.count)


def _locked(email: str, zone: ZoneInfo) -> str:
    """Until when nothing is accepted of a person, as a sentence; empty where they may try."""
    until = lockout.failures_of(email).locked_until
    if until is None:
        return ""
    moment = until.astimezone(zone)  # a request with a token has no zone of its own
    return (
        f"Too many wrong passwords or codes: yours are not accepted until {moment:%H:%M}. "
        "An administrator of your laboratory can unlock it sooner."
    )
