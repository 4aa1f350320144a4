"""Cases in plain words: when one is due, and what happened to it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from django.db.models import TextChoices
from django.utils import timezone

from cases import bethesda, clock
from cases.correlation import Agreement, Cause, HistologyResult
from cases.models import AuditEvent, Case, Review, Task
from cases.sight import Sight

_MINUTE, _HOUR, _DAY = 60, 60 * 60, 24 * 60 * 60


def count(number: int, one: str) -> str:
    """Like "1 cell image" and "2 cell images"."""
    return f"{number:,} {one if number == 1 else f'{one}s'}"


def duration(span: timedelta) -> str:
    """A stretch of time, rounded to the one unit that matters."""
    seconds = span.total_seconds()
    if seconds < _MINUTE:
        return "less than a minute"
    if (minutes := round(seconds / _MINUTE)) * _MINUTE < _HOUR:
        return count(minutes, "minute")
    if (hours := round(seconds / _HOUR)) * _HOUR < 2 * _DAY:
        return count(hours, "hour")
    return count(round(seconds / _DAY), "day")


_NEARLY_CERTAIN, _NEARLY_IMPOSSIBLE = 0.995, 0.005  # what would be rounded to all or nothing


def percent(probability: float) -> str:
    """Like "93 %"; what is not certain is never shown as 100 %, nor what is possible as 0 %."""
    if _NEARLY_CERTAIN <= probability < 1:
        return "> 99 %"
    if 0 < probability < _NEARLY_IMPOSSIBLE:
        return "< 1 %"
    return f"{probability * 100:.0f} %"


def due(case: Case) -> str:
    """When the case is due, or when it was signed."""
    if case.signed_at:
        signed = timezone.localtime(case.signed_at)
        return f"Signed {signed.day} {signed:%b %Y}"
    left = case.due_at - clock.now()
    return f"Overdue by {duration(-left)}" if left < timedelta() else f"Due in {duration(left)}"


def since(moment: datetime) -> str:
    """Like "14:05 CET", with the day where that is another one than today."""
    then, today = timezone.localtime(moment), timezone.localtime(clock.now())
    day = "" if then.date() == today.date() else f"{then.day} {then:%b} "
    return f"{day}{then:%H:%M %Z}"


def held(case: Case) -> str:
    """In whose hands the case is."""
    states = Case.Status
    if case.status in (states.DRAFT, states.FAILED):
        return case.accessioned_by.name
    if case.reviewer:
        return case.reviewer.name
    return _WAITS_FOR.get(case.status, "the workers")


_WAITS_FOR: dict[str, str] = {
    Case.Status.AWAITING_SCREENING: "any cytotechnologist",
    Case.Status.AWAITING_RESCREEN: "a second reader",
    Case.Status.AWAITING_REVIEW: "any pathologist",
}


def attempt(number: int) -> str:
    """Which try of the workers this is; empty for the first, which nobody need mention."""
    return {1: "", 2: "Second attempt", 3: "Third attempt"}.get(number, f"Attempt {number}")


def result(read: Mapping[str, Any] | None) -> str:
    """A read as a row keeps it, in a few words; empty where there is none that can be read."""
    try:
        return bethesda.result(bethesda.Read.from_json(read)) if read else ""
    except (ValueError, TypeError, AttributeError):  # only tampering explains it
        return ""


@dataclass(frozen=True, slots=True)
class ReadInWords:
    """A read side by side: as committed, and as stood by in the end (R22)."""

    kind: str
    reader: str
    at: datetime | None
    order: str
    committed: str
    final: str
    change_reason: str
    why: str


def reads(reviews: Iterable[Review], seen: Sight) -> list[ReadInWords]:
    """The committed reads; what changed after the model was shown only for who may see that."""
    return [
        ReadInWords(
            kind=review.get_kind_display(),
            reader=review.reader.name,
            at=review.committed_at,
            order="blind" if review.is_blind else "assisted",
            committed=bethesda.in_codes(review.committed_read) if seen.model else "",
            final=bethesda.in_codes(review.read),
            change_reason=review.change_reason if seen.model else "",
            why=became(review.why, is_superseded=review.superseded_at is not None),
        )
        for review in reviews
    ]


def became(why: str, *, is_superseded: bool) -> str:
    """What became of a read: where its rule led, and whether another one took its place."""
    asked = "A pathologist then asked for another screening." if is_superseded else ""
    return f"{why} {asked}".strip()


# ── The trail ────────────────────────────────────────────────────────────────────────────────────

Names = Mapping[str, str]  # the names of a case's images and of its laboratory's people, by id


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the trail: an event, or several of a kind in a row by the same person."""

    sentence: str
    actor: str
    at: datetime
    until: datetime
    parts: Sequence[tuple[datetime, str]] = ()


def trail(events: Iterable[AuditEvent], names: Names) -> list[Entry]:
    """The events in their order; uploads and findings in a row are one entry with its parts."""
    entries: list[Entry] = []
    for (action, _), group in groupby(events, key=lambda one: (one.action, one.actor_id)):
        row = list(group)
        if len(row) > 1 and action in _IN_A_ROW:
            parts = [(one.at, event(one, names)) for one in row]
            sentence = _IN_A_ROW[action](row)
            entries.append(Entry(sentence, _actor(row[0]), row[0].at, row[-1].at, parts))
        else:
            entries += [Entry(event(one, names), _actor(one), one.at, one.at) for one in row]
    return entries


def event(event: AuditEvent, names: Names) -> str:
    """What happened, as a sentence; who and when stand beside it."""
    say = _SENTENCES.get(event.action)
    return say(event.detail, names) if say else f"{event.action.replace('_', ' ').capitalize()}."


def _actor(event: AuditEvent) -> str:
    return event.actor.name if event.actor else "The system"


Detail = Mapping[str, Any]


def _accession(detail: Detail, _: Names) -> str:
    return f"Accessioned the case as {detail.get('accession_number', 'unnumbered')}."


def _revise(detail: Detail, _: Names) -> str:
    changes = [_change(*change) for change in detail.get("changes", {}).items()]
    return (
        f"Revised the case: {'; '.join(changes)}."
        if changes
        else "Saved the accession without a change."
    )


_LABELS = {
    "accession_number": "accession number",
    "patient": "patient id",
    "specimen_type": "specimen",
    "collected_on": "collection date",
    "priority": "priority",
}


def _change(name: str, change: Sequence[str | None]) -> str:
    if name not in _LABELS:  # the trail keeps a digest of the note, which says nothing to a person
        return f"the {name.replace('_', ' ')} was changed"
    before, after = (_value(name, value) for value in change)
    return f"{_LABELS[name]} from {before} to {after}"


def _value(name: str, value: str | None) -> str:
    if name == "specimen_type" and value in bethesda.SpecimenType.values:
        return bethesda.SpecimenType(value).label.lower()
    return value or "none"


def _add_image(detail: Detail, names: Names) -> str:
    return f"Added {names.get(detail.get('image', ''), 'an image that was removed later')}."


def _remove_image(detail: Detail, _: Names) -> str:
    return f"Removed the image {_short(detail)}."


def _short(detail: Detail) -> str:
    return str(detail.get("digest", ""))[:12]


def _submit(detail: Detail, _: Names) -> str:
    return f"Submitted the case with {count(detail.get('images', 0), 'cell image')}."


def _begin(detail: Detail, _: Names) -> str:
    words = attempt(detail.get("attempt", 1)).lower()
    return f"Began to classify{f', {words}' if words else ''}."


def _record(detail: Detail, _: Names) -> str:
    unread = detail.get("failures", 0)
    rest = f"; {count(unread, 'image')} could not be read" if unread else ""
    return f"Finished classifying{rest}. The case waits for its reader."


def _fail(detail: Detail, _: Names) -> str:
    return f"Gave up classifying: {detail.get('reason', 'no reason was kept')}"


def _requeue(detail: Detail, _: Names) -> str:
    words = (attempt(detail.get("attempt", 1)) or "First attempt").lower()
    return f"Took the case back from a worker that vanished ({words})."


def _reclassify(detail: Detail, _: Names) -> str:
    return (
        f"Sent the case to the model {detail.get('model_version', '')}; earlier answers are kept."
    )


_FOR = {"screening": "screening", "rescreen": "rescreen", "adjudication": "adjudication"}


def _claim(detail: Detail, _: Names) -> str:
    blind = ", to be read blind" if detail.get("blind") else ""
    return f"Claimed the case for {_FOR.get(detail.get('kind', ''), 'review')}{blind}."


_HIDDEN = "; what was found is shown to you once you have read the case"


def _commit(detail: Detail, _: Names, verb: str = "Committed a read") -> str:
    if detail.get("hidden"):
        return f"{verb}{_HIDDEN}."
    what = bethesda.in_codes(detail.get("read"))
    changed = detail.get("change_reason")
    before = (
        f", after {bethesda.in_codes(detail.get('committed'))} because: {changed}"
        if changed
        else ""
    )
    why = f" {detail['why']}" if detail.get("why") else ""
    return f"{verb}: {what}{before}.{why}"


def _release(detail: Detail, _: Names) -> str:
    if "held_by" in detail:
        return "Released the case of a colleague who reads cases no more; the findings are kept."
    return "Released the case; the findings are kept."


def _expire(detail: Detail, names: Names) -> str:
    who = names.get(str(detail.get("held_by")), "a holder")
    return f"Took the case back from {who}, idle for too long; the findings are kept."


def _hand_over(detail: Detail, names: Names) -> str:
    return f"Handed the case over to {names.get(str(detail.get('to')), 'a colleague')}."


def _send_back(detail: Detail, names: Names) -> str:
    who = names.get(str(detail.get("to")), "a colleague")
    if detail.get("for") == "screening":
        return f"Sent the case back to {who} for another screening; the earlier one is kept."
    return f"Sent the case back to {who} for rework."


def _decide(detail: Detail, names: Names) -> str:
    if detail.get("hidden"):
        return f"Decided on cells{_HIDDEN}."
    decisions = detail.get("decisions", [])
    if len(decisions) != 1:
        return _decided(decisions)
    [(image, said)] = decisions
    name = names.get(image, "a cell")
    if not said:
        return f"Withdrew the finding for {name}."
    if said.startswith(_EXCLUDED):
        return f"Excluded {name}: {said.removeprefix(_EXCLUDED)}."
    return f"Called {name} {said}."


_EXCLUDED = "excluded: "


def _decided(decisions: Sequence[Sequence[str]]) -> str:
    kinds = Counter(
        "excluded" if said.startswith(_EXCLUDED) else said or "withdrawn" for _, said in decisions
    )
    each = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    return f"Made {count(len(decisions), 'decision')} on cells{f': {each}' if each else ''}."


def _display(detail: Detail, _: Names) -> str:
    return _displayed(detail.get("images", []))


def _displayed(images: Sequence[str]) -> str:
    return f"Looked at {count(len(images), 'cell')} for the first time."


def _sign(detail: Detail, _: Names) -> str:
    codes = detail.get("read", {}).get("interpretations", [])
    terms = [bethesda.INTERPRETATIONS[code] for code in codes if code in bethesda.INTERPRETATIONS]
    what = f": {'; '.join(term.label for term in terms)}" if terms else ""
    return f"Signed the case{what}. Report digest {_short(detail)}."


def _addend(detail: Detail, _: Names) -> str:
    return f"Added an addendum to the report{_version(detail)}"


def _amend(detail: Detail, _: Names) -> str:
    changes = detail.get("changes", {})
    parts = []
    if "read" in changes:
        before, after = changes["read"]
        parts.append(f"from {result(before) or 'no result'} to {result(after) or 'no result'}")
    if cells := changes.get("cells"):
        each = Counter(f"{before} to {after}" for _, before, after in cells)
        parts += [f"{count(many, 'cell')} from {change}" for change, many in each.items()]
    return f"Amended the report: {'; '.join(parts)}{_version(detail)}"


def _correct(detail: Detail, _: Names) -> str:
    changes = [
        "the comment was changed" if name == "read" else _change(name, change)
        for name, change in detail.get("changes", {}).items()
    ]
    return f"Corrected the report: {'; '.join(changes)}{_version(detail)}"


def _export(detail: Detail, _: Names) -> str:
    which = f"version {detail['version']} of the report" if "version" in detail else "the case"
    who = "with" if detail.get("identified") else "without"
    return f"Exported {which} as {detail.get('form', 'a file')}, {who} the name of the patient."


def _version(detail: Detail) -> str:
    notified = f" Notified: {detail['notified']}." if detail.get("notified") else ""
    return (
        f". Reason: {str(detail.get('reason', '')).rstrip('.')}.{notified} "
        f"Version {detail.get('version', '')}, digest {_short(detail)}."
    )


def _ask_look_back(detail: Detail, _: Names) -> str:
    return (
        f"Asked for a look-back: {detail.get('trigger', 'a later case')} of this patient was "
        f"signed as {detail.get('result', 'abnormal')}."
    )


def _look_back(detail: Detail, _: Names) -> str:
    result = _labelled(Task.Result, detail.get("result"))
    told = f" Notified: {detail['notified']}." if detail.get("notified") else ""
    return f"Looked back at the case. {result}.{told}"


def _record_histology(detail: Detail, _: Names) -> str:
    parts = [
        _labelled(HistologyResult, detail.get("result")),
        _labelled(Agreement, detail.get("agreement")),
        _labelled(Cause, detail.get("cause")),
    ]
    return f"Recorded histology: {'. '.join(part for part in parts if part)}."


def _erase_identity(detail: Detail, _: Names) -> str:
    return f"Erased who the patient is. Reason: {str(detail.get('reason', '')).rstrip('.')}."


def _labelled(choices: type[TextChoices], value: str | None) -> str:
    return str(choices(value).label) if value in choices.values else ""


_SENTENCES: dict[str, Callable[[Detail, Names], str]] = {
    "accession": _accession,
    "erase_identity": _erase_identity,
    "revise": _revise,
    "add_image": _add_image,
    "remove_image": _remove_image,
    "submit": _submit,
    "begin": _begin,
    "record": _record,
    "fail": _fail,
    "requeue": _requeue,
    "reclassify": _reclassify,
    "retry": lambda *_: "Sent the case to the workers again; earlier answers are kept.",
    "claim": _claim,
    "commit": _commit,
    "conclude": partial(_commit, verb="Concluded the screening"),
    "refer": lambda *_: "Referred the case to the pathologists.",
    "sign_out": _sign,
    "release": _release,
    "expire": _expire,
    "hand_over": _hand_over,
    "send_back": _send_back,
    "ask_look_back": _ask_look_back,
    "look_back": _look_back,
    "record_histology": _record_histology,
    "decide": _decide,
    "display": _display,
    "sign": _sign,
    "export": _export,
    "addend": _addend,
    "amend": _amend,
    "correct": _correct,
    "view": lambda *_: "Looked at the case.",
}
_IN_A_ROW: dict[str, Callable[[Sequence[AuditEvent]], str]] = {
    "add_image": lambda row: f"Added {count(len(row), 'cell image')}.",
    "remove_image": lambda row: f"Removed {count(len(row), 'cell image')}.",
    "view": lambda row: f"Looked at the case, {count(len(row), 'visit')}.",
    "decide": lambda row: (
        _decide(row[0].detail, {})
        if "hidden" in row[0].detail
        else _decided([one for event in row for one in event.detail["decisions"]])
    ),
    "display": lambda row: _displayed([one for event in row for one in event.detail["images"]]),
}
