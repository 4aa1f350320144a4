"""What the environment says, read strictly: a value that is not understood stops the start.

Every reader also takes the value from a file: where ``NAME_FILE`` is set, the file it names holds
the value, which is how container platforms hand over secrets.
"""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str | None = None) -> str:
    """The value as it is; without a default the name must be set to something."""
    value = _raw(name)
    if value is None:
        value = default
    if value is None or (default is None and not value):
        raise ImproperlyConfigured(f"{name} is not set: give it a value, or {name}_FILE a file")
    return value


def flag(name: str, *, default: bool) -> bool:
    value = _raw(name)
    if not value:
        return default
    if value not in ("True", "False"):
        raise ImproperlyConfigured(f"{name} is {value!r}: write True or False")
    return value == "True"


def number(name: str, default: int, *, minimum: int = 0) -> int:
    value = _raw(name)
    if not value:
        return default
    if not (value.isascii() and value.isdigit()) or int(value) < minimum:
        raise ImproperlyConfigured(f"{name} is {value!r}: write a whole number from {minimum} up")
    return int(value)


def listed(name: str, default: list[str] | None = None) -> list[str]:
    """Values separated by commas; blanks around them do not count, an empty one is refused."""
    value = _raw(name)
    if value is None or (not value and default is not None):
        return list(default or [])
    if not value:
        return []
    values = [part.strip() for part in value.split(",")]
    if not all(values):
        raise ImproperlyConfigured(f"{name} is {value!r}: write values with one comma between two")
    return values


def _raw(name: str) -> str | None:
    """The value of the name, or of the file that ``NAME_FILE`` names; None where neither is set."""
    value = os.environ.get(name)
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return value
    if value:
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set: keep one")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}_FILE names {path}, which cannot be read") from error
