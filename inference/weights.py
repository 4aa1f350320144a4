"""Files of weights, known by the SHA-256 of their content and refused when they are not that."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class WrongWeights(Exception):
    """A model's file that is missing or not the one it should be; a sentence for people."""


def digest(content: bytes) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    return sha256(content).hexdigest()


def read(path: Path, expected: str, *, name: str = "") -> bytes:
    """The content of a file, if it has this digest; it may be known by another name than its own.

    Raises:
        WrongWeights: the file is missing, truncated, changed, or another one.

    """
    name = name or path.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WrongWeights(f"{name} cannot be read: {error.strerror}.") from error
    found = digest(content)
    if found != expected:
        raise WrongWeights(
            f"{name} is not the file this model was made of: "
            f"its digest is {found[:12]}, not {expected[:12]}."
        )
    return content
