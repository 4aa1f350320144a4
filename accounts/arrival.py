"""The way in: the password, then the second factor where the person has one, then the session."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth import login
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts import authentication, events
from accounts.events import Action
from accounts.models import User

HALFWAY = "halfway"
HALFWAY_LIFETIME = timedelta(minutes=10)
GAVE_FACTOR = "gave_second_factor"
_BACKEND = "django.contrib.auth.backends.ModelBackend"


def begin(request: HttpRequest, user: User, place: str) -> None:
    """Note whose password was right, and where they want to be; they are not logged in yet."""
    request.session[HALFWAY] = {
        "user": user.pk,
        "hash": user.get_session_auth_hash(),
        "at": timezone.now().timestamp(),
        "place": place,
    }


def halfway(request: HttpRequest) -> tuple[User, str] | None:
    """Who has given their password and not yet the second factor, and where they want to be.

    None too late, and once the person has another password or is not active any more.
    """
    noted = request.session.get(HALFWAY)
    if noted is None or timezone.now().timestamp() - noted["at"] > HALFWAY_LIFETIME.total_seconds():
        return None
    user = (
        User.objects.select_related("laboratory").filter(pk=noted["user"], is_active=True).first()
    )
    if user is None or not constant_time_compare(user.get_session_auth_hash(), noted["hash"]):
        return None
    return user, noted["place"]


def arrive(request: HttpRequest, user: User, method: str, *, gave_factor: bool = False) -> None:
    """Log a person in. Whatever was begun before, a signing session above all, begins anew."""
    login(request, user, backend=_BACKEND)
    for name in (HALFWAY, authentication.SIGNING_SINCE, authentication.CHALLENGE):
        request.session.pop(name, None)
    request.session[GAVE_FACTOR] = gave_factor
    events.record(Action.LOGGED_IN, user.laboratory, user, user, method=method)
