"""Who is locked out after failed log-ins, until when, and how that is forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from axes.utils import reset
from django.conf import settings
from django.utils import timezone


@dataclass(frozen=True, slots=True)
class Failures:
    """The recent failures of one address; `locked_until` is None while it may still try."""

    count: int
    locked_until: datetime | None


def failures(emails: Iterable[str]) -> dict[str, Failures]:
    """The addresses with recent failures, in one query."""
    recent = AccessAttempt.objects.filter(
        username__in=list(emails), attempt_time__gt=timezone.now() - get_cool_off()
    )
    attempts = recent.order_by("username", "-attempt_time")
    return {
        email: _counted(rows) for email, rows in groupby(attempts, lambda row: str(row.username))
    }


def failures_of(email: str) -> Failures:
    return failures([email]).get(email, Failures(0, None))


def forget(email: str) -> int:
    """Let an address try again at once; returns how many failures were forgotten."""
    counted = failures_of(email).count
    reset(username=email)
    return counted


def _counted(attempts: Iterable[Any]) -> Failures:
    """The lock holds until the failures that have not yet expired are fewer than the limit."""
    count = 0
    locked_until = None
    for attempt in attempts:
        count += attempt.failures_since_start
        if locked_until is None and count >= settings.AXES_FAILURE_LIMIT:
            locked_until = attempt.attempt_time + get_cool_off()
    return Failures(count, locked_until)
