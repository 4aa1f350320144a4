"""What happened to accounts: recorded in the transaction that changed them, told in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeAlias

from django.db.models import QuerySet

from accounts.models import AccountEvent, Laboratory, Role, User

Change: TypeAlias = tuple[str | int | bool | None, str | int | bool | None]


class Action(StrEnum):
    INVITED = "invited"
    INVITATION_REISSUED = "invitation-reissued"
    INVITATION_WITHDRAWN = "invitation-withdrawn"
    JOINED = "joined"
    ROLE_CHANGED = "role-changed"
    DEACTIVATED = "deactivated"
    REACTIVATED = "reactivated"
    UNLOCKED = "unlocked"
    RESET_LINK_ISSUED = "reset-link-issued"
    PASSWORD_CHANGED = "password-changed"  # noqa: S105 -- an action
    PASSWORD_RESET = "password-reset"  # noqa: S105 -- an action
    TOKEN_MADE = "token-made"  # noqa: S105 -- an action
    TOKEN_REVOKED = "token-revoked"  # noqa: S105 -- an action
    SETTINGS_CHANGED = "settings-changed"
    FACTOR_ADDED = "factor-added"
    FACTOR_REMOVED = "factor-removed"
    FACTORS_RESET = "factors-reset"
    FACTORS_RESET_ON_SERVER = "factors-reset-on-server"
    RECOVERY_CODES_MADE = "recovery-codes-made"
    LOGGED_IN = "logged-in"
    NOT_RECOGNISED = "not-recognised"
    LOCKED_OUT = "locked-out"
    READING_CHANGED = "reading-changed"
    SENIORITY_CHANGED = "seniority-changed"
    WORKLOAD_SET = "workload-set"
    RECORDS_CHECKED = "records-checked"


SENTENCES = {
    Action.INVITED: "{actor} invited {name} ({email}) as {role}",
    Action.INVITATION_REISSUED: "{actor} issued a new invitation link for {name} ({email})",
    Action.INVITATION_WITHDRAWN: "{actor} withdrew the invitation of {name} ({email})",
    Action.JOINED: "{subject} accepted the invitation and joined as {role}",
    Action.ROLE_CHANGED: "{actor} changed the role of {subject} {changes}",
    Action.DEACTIVATED: "{actor} deactivated {subject}",
    Action.REACTIVATED: "{actor} reactivated {subject}",
    Action.UNLOCKED: "{actor} unlocked {subject} after failed log-ins",
    Action.RESET_LINK_ISSUED: "{actor} issued a password-reset link for {subject}",
    Action.PASSWORD_CHANGED: "{subject} changed their password",
    Action.PASSWORD_RESET: "{subject} set a new password through a one-time link",
    Action.TOKEN_MADE: "{subject} made the API token “{token}”",
    Action.TOKEN_REVOKED: "{actor} revoked the API token “{token}” of {subject}",
    Action.SETTINGS_CHANGED: "{actor} changed the settings of the laboratory: {changes}",
    Action.FACTOR_ADDED: "{subject} set up a second factor: the {kind} “{factor}”",
    Action.FACTOR_REMOVED: "{subject} removed the {kind} “{factor}” as a second factor",
    Action.FACTORS_RESET: "{actor} reset the second factor of {subject}, who had lost it",
    Action.FACTORS_RESET_ON_SERVER: "{operator}, who operates the server, reset the second factor "
    "of {subject}, who had lost it",
    Action.RECOVERY_CODES_MADE: "{subject} made new recovery codes",
    Action.LOGGED_IN: "{subject} logged in with {method}",
    Action.NOT_RECOGNISED: "Somebody gave a wrong {what} for {subject} {where}",
    Action.LOCKED_OUT: "{subject} was locked out after {failures} failures",
    Action.READING_CHANGED: "{actor} changed how the laboratory reads: {changes}",
    Action.SENIORITY_CHANGED: "{actor} changed whether {subject} is a senior: {changes}",
    Action.WORKLOAD_SET: "{actor} set how much {subject} may read: {changes}",
    Action.RECORDS_CHECKED: "The records were checked, {looked_at}: {found}",
}
# Who came and who tried to; beside them, what is changed about accounts is soon out of sight.
ARRIVALS = (Action.LOGGED_IN, Action.NOT_RECOGNISED, Action.LOCKED_OUT)
NO_CHANGES = (*ARRIVALS, Action.RECORDS_CHECKED)
FIELDS = {
    "role": "",  # the sentence says it
    "name": "name ",
    "time_zone": "time zone ",
    "letterhead": "letterhead ",
    "idle_minutes": "minutes until log-off ",
    "signing_minutes": "minutes of a signing session ",
    "requires_second_factor": "second factor required ",
    "routine_turnaround_hours": "routine turnaround in hours ",
    "urgent_turnaround_hours": "urgent turnaround in hours ",
    "slides": "slides in a day ",
    "hours": "hours of reading a day ",
    "is_senior": "",  # the sentence says it
    "primary_screening": "primary screening ",
    "reading_order": "reading order ",
    "cytotechnologists_sign": "cytotechnologists sign plain NILM ",
    "unsatisfactory_to_pathologist": "unsatisfactory specimens to a pathologist ",
    "endometrial_to_pathologist": "endometrial cells at 45 or older to a pathologist ",
    "rescreen_percent": "percent rescreened ",
    "higher_risk": "higher-risk patients ",
    "model_version": "model version ",
    "set_level": "level of the prediction sets ",
}


def record(
    action: Action,
    laboratory: Laboratory,
    actor: User | None,
    subject: User | None = None,
    *,
    changes: Mapping[str, Change] | None = None,
    **facts: str | int | list[str],
) -> AccountEvent:
    """Write one event, with the old and the new value of what changed; inside a transaction.

    `actor` is None where nobody knows who it was.
    """
    detail: dict[str, Any] = dict(facts)
    if changes:
        detail["changes"] = {name: {"old": old, "new": new} for name, (old, new) in changes.items()}
    return AccountEvent.objects.create(
        laboratory=laboratory, actor=actor, subject=subject, action=action.value, detail=detail
    )


def recent(
    laboratory: Laboratory, only: str = "", *, subject: User | None = None
) -> QuerySet[AccountEvent]:
    """The events of a laboratory, or of one of its people, newest first, with their names.

    `only` is "arrivals" or "changes"; whatever else it is, both are there.
    """
    events = AccountEvent.objects.filter(laboratory=laboratory)
    if subject is not None:
        events = events.filter(subject=subject)
    if only == "arrivals":
        events = events.filter(action__in=ARRIVALS)
    elif only == "changes":
        events = events.exclude(action__in=NO_CHANGES)
    return events.select_related("actor", "subject")


def told(recorded: Iterable[AccountEvent]) -> list[tuple[AccountEvent, str]]:
    """Events, each with its sentence."""
    return [(event, sentence(event)) for event in recorded]


def sentence(event: AccountEvent) -> str:
    """The event as one sentence that a person can read."""
    facts = {key: value for key, value in event.detail.items() if key != "changes"}
    if "role" in facts:
        facts["role"] = _value("role", facts["role"])
    changes = ", ".join(
        f"{FIELDS[name]}from {_value(name, change['old'])} to {_value(name, change['new'])}"
        for name, change in event.detail.get("changes", {}).items()
        if name in FIELDS
    )
    people = {"actor": event.actor or "The system", "subject": event.subject or "nobody"}
    return SENTENCES[Action(event.action)].format(**facts, **people, changes=changes)


def _value(field: str, value: Any) -> str:  # noqa: ANN401 -- what JSON holds
    if field == "role":
        return Role(value).label.lower()
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
