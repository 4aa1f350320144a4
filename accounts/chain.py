"""The chains of events: how a row is bound to the one before it, and how a break is found.

A laboratory has two chains, of its cases' events and of its accounts' (`ChainHead` says why). A
trigger in the database gives each new row the next number, the digest of the row before it, the
server's time, and a digest of its own: the SHA-256 of its columns as a JSON array, in the order
named here, times in UTC to the microsecond, `detail` as PostgreSQL prints it.

Here the digests are computed again, in Python, and none of the database's functions is asked.
Whoever may switch triggers off can also forge a whole chain with its head: only a head that was
kept elsewhere shows that, or that the end of a chain was cut off together with its head.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db.models import F, Max, QuerySet, TextField
from django.db.models.functions import Cast

from accounts.models import AccountEvent, ChainHead, Laboratory

FIRST_PREVIOUS = "0" * 64
ROWS_AT_A_TIME = 2000


@dataclass(frozen=True, slots=True)
class KeptHead:
    """Where a chain ended once, written down where nobody who can change the chain can."""

    laboratory: int
    chain: str
    length: int
    digest: str

    @classmethod
    def of(cls, head: ChainHead) -> KeptHead:
        return cls(head.laboratory_id, head.chain, head.length, head.digest)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> KeptHead:
        return cls(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Walk:
    """One chain of one laboratory: its rows, what of them is digested, and what each is about."""

    laboratory: Laboratory
    chain: ChainHead.Chain
    events: QuerySet[Any]
    columns: Sequence[str]
    about: str

    @property
    def name(self) -> str:
        return f"the chain of {self.chain} of {self.laboratory}"

    def head(self) -> ChainHead | None:
        return self.laboratory.chains.filter(chain=self.chain).first()

    def rows(self, up_to: int) -> Iterator[dict[str, Any]]:
        """The rows in the order of their numbers, `detail` as the database prints it."""
        rows: QuerySet[Any, dict[str, Any]] = (
            self.events.filter(sequence__lte=up_to)
            .annotate(detail_text=Cast("detail", TextField()), about=F(self.about))
            .order_by("sequence", "recorded_at")
            .values(*self.columns, "digest", "detail_text", "about")
        )
        return rows.iterator(chunk_size=ROWS_AT_A_TIME)


def of_accounts(laboratory: Laboratory) -> Walk:
    columns = (
        *("sequence", "previous", "laboratory_id", "id", "actor_id", "subject_id"),
        *("action", "detail", "at", "recorded_at"),
    )
    events = AccountEvent.objects.filter(laboratory=laboratory)
    return Walk(laboratory, ChainHead.Chain.ACCOUNTS, events, columns, "subject__name")


def first_break(walk: Walk, kept: Iterable[KeptHead] = ()) -> str | None:
    """The first place where the chain is not what was written, as a sentence; None if it is whole.

    Events may be added meanwhile: what is behind the head that was read first is not walked.
    """
    head = walk.head()
    length = head.length if head else 0
    held: dict[int, set[str]] = {}
    for one in kept:
        held.setdefault(one.length, set()).add(one.digest)
    expected, previous = 1, FIRST_PREVIOUS
    for row in walk.rows(length):
        if broken := _broken(walk, row, expected, previous, held.pop(expected, set())):
            return broken
        expected, previous = expected + 1, row["digest"]
    if expected <= length:
        return _cut(walk, expected, length)
    if head and head.digest != previous:
        return f"The head of {walk.name} does not name its last event: the head was changed."
    if held:
        longest = max(held)
        return (
            f"A head kept elsewhere says that {walk.name} once had {longest} events, and it has"
            f" {length}: its end was cut off, with its head."
        )
    return _past_the_head(walk)


def digest_of(row: dict[str, Any], columns: Sequence[str]) -> str:
    """The digest that a row should have, from its own columns."""
    values = [_written(row["detail_text" if name == "detail" else name]) for name in columns]
    return sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()


def _written(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value) if isinstance(value, UUID) else value


def _broken(
    walk: Walk, row: dict[str, Any], expected: int, previous: str, kept: set[str]
) -> str | None:
    event = _event(walk, row)
    if row["sequence"] > expected:
        missing = _numbers(expected, row["sequence"] - 1)
        return f"{missing} of {walk.name} missing before {_lowered(event)}: removed."
    if digest_of(row, walk.columns) != row["digest"]:
        return f"{event} was changed or moved: its content no longer has its digest."
    if row["sequence"] < expected:
        return f"{event} is there twice: one of the two was inserted."
    if row["previous"] != previous:
        return (
            f"{event} does not follow the event before it: one of them was inserted, or changed"
            " together with its digest."
        )
    if kept - {row["digest"]}:
        return f"{event} is not the one that a head kept elsewhere names: the chain was rewritten."
    return None


def _event(walk: Walk, row: dict[str, Any]) -> str:
    about = f" for {row['about']}" if row["about"] else ""
    moment = row["at"].astimezone(UTC)
    return (
        f"Event {row['sequence']} of {walk.name} (“{row['action']}”{about},"
        f" {moment:%Y-%m-%d %H:%M} UTC)"
    )


def _lowered(event: str) -> str:
    return event[0].lower() + event[1:]


def _numbers(first: int, last: int) -> str:
    return f"Event {first} is" if first == last else f"Events {first} to {last} are"


def _cut(walk: Walk, expected: int, length: int) -> str:
    return (
        f"The end of {walk.name} is cut off: its head says {length} events, and"
        f" {_lowered(_numbers(expected, length))} missing."
    )


def _past_the_head(walk: Walk) -> str | None:
    """Rows with numbers that the head has not given; it is read after them, as it is ahead."""
    last = walk.events.aggregate(last=Max("sequence"))["last"] or 0
    head = walk.head()
    length = head.length if head else 0
    if last <= length:
        return None
    return (
        f"Event {last} of {walk.name} lies past its head, which says {length} events: the event"
        " was inserted, or the head was set back."
    )
