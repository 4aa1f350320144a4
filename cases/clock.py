"""The moment that verbs write into rows; seeding a demonstration may set it back."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from django.utils import timezone

_moment: ContextVar[datetime | None] = ContextVar("moment", default=None)


def now() -> datetime:
    """The current moment, or the one that `at` has set."""
    return _moment.get() or timezone.now()


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Let everything inside happen at this moment: for demonstration data, never for real cases."""
    token = _moment.set(moment)
    try:
        yield
    finally:
        _moment.reset(token)
