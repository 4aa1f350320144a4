"""What people write into a case: kept as they typed it, or refused with a sentence."""

from datetime import datetime

from cases import clock
from cases.workflow.transition import Refused

LONGEST_NOTIFIED = 200  # characters, as the columns have


def kept(text: str, word: str, longest: int) -> str:
    """The text without blanks around it; ``word`` is what a refusal calls it."""
    text = text.strip()
    if "\0" in text:
        raise Refused(f"The {word} has a character in it that cannot be stored.")
    if len(text) > longest:
        raise Refused(f"The {word} is longer than {longest} characters.")
    return text


def needed(text: str, word: str, longest: int) -> str:
    """The same where nothing at all is not enough."""
    if not text.strip():
        raise Refused(f"The {word} is missing.")
    return kept(text, word, longest)


def notified(who: str, at: datetime | None, *, affects_care: bool) -> str:
    """Who was told; somebody has to be, and first, where the patient's care is affected (R7)."""
    who = kept(who, "person notified", LONGEST_NOTIFIED)
    if affects_care and not (who and at):
        raise Refused(
            "Where the patient's care is affected, somebody must have been notified first: "
            "say who, and when (R7)."
        )
    if at and not who:
        raise Refused("Say who was notified.")
    if at and at > clock.now():
        raise Refused("The person cannot have been notified in the future.")
    return who
