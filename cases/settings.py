"""The verb that changes how a laboratory reads."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from accounts import events
from accounts.laboratories import locked_for, mend
from accounts.models import Laboratory, User
from cases.models import ReadingSettings
from inference.models import ModelVersion


def change_reading(
    laboratory: Laboratory, actor: User, wanted: Mapping[str, Any]
) -> ReadingSettings:
    """Change what differs and record the old values beside the new; nothing new is no event."""
    with transaction.atomic():
        laboratory = locked_for(actor, laboratory)
        settings = ReadingSettings.of(laboratory)
        if changes := mend(settings, wanted):
            told = {name: (_told(old), _told(new)) for name, (old, new) in changes.items()}
            events.record(events.Action.READING_CHANGED, laboratory, actor, changes=told)
    return settings


def _told(value: Any) -> Any:  # noqa: ANN401 -- a setting is of any kind
    """A value as the event keeps it: a model version by its name."""
    if value is None:
        return "the usual"
    return value.name if isinstance(value, ModelVersion) else value
