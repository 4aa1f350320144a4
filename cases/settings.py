"""The verb that changes how a laboratory reads."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction

from accounts import events, permissions
from accounts.models import Laboratory, User
from cases.models import ReadingSettings
from inference.models import ModelVersion


def change_reading(
    laboratory: Laboratory, actor: User, wanted: Mapping[str, Any]
) -> ReadingSettings:
    """Change what differs and record the old values beside the new; nothing new is no event."""
    with transaction.atomic():
        laboratory = Laboratory.objects.select_for_update(no_key=True).get(pk=laboratory.pk)
        actor = User.objects.get(pk=actor.pk)
        if not permissions.can_change_settings(actor) or actor.laboratory_id != laboratory.pk:
            raise PermissionDenied
        settings = ReadingSettings.of(laboratory)
        changes = {
            name: (getattr(settings, name), value)
            for name, value in wanted.items()
            if getattr(settings, name) != value
        }
        if changes:
            for name, (_, value) in changes.items():
                setattr(settings, name, value)
            settings.full_clean()
            settings.save()
            told = {name: (_told(old), _told(new)) for name, (old, new) in changes.items()}
            events.record(events.Action.READING_CHANGED, laboratory, actor, changes=told)
    return settings


def _told(value: Any) -> Any:  # noqa: ANN401 -- a setting is of any kind
    """A value as the event keeps it: a model version by its name."""
    if value is None:
        return "the usual"
    return value.name if isinstance(value, ModelVersion) else value
