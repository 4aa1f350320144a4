"""The settings of a laboratory: who may change them, and what is recorded of a change."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model

from accounts import events, permissions
from accounts.models import Laboratory, User


def change_settings(laboratory: Laboratory, actor: User, wanted: Mapping[str, Any]) -> Laboratory:
    """Change what differs and record the old values beside the new; nothing new is no event."""
    with transaction.atomic():
        laboratory = locked_for(actor, laboratory)
        if changes := mend(laboratory, wanted):
            events.record(events.Action.SETTINGS_CHANGED, laboratory, actor, changes=changes)
    return laboratory


def locked_for(actor: User, laboratory: Laboratory) -> Laboratory:
    """The laboratory under a lock, where the actor, as they are now, changes its settings."""
    laboratory = Laboratory.objects.select_for_update(no_key=True).get(pk=laboratory.pk)
    actor = User.objects.get(pk=actor.pk)
    if not permissions.can_change_settings(actor) or actor.laboratory_id != laboratory.pk:
        raise PermissionDenied
    return laboratory


def mend(row: Model, wanted: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Set on a row of settings what differs, and save it; what differed, as old and new."""
    changes = {
        name: (getattr(row, name), value)
        for name, value in wanted.items()
        if getattr(row, name) != value
    }
    if changes:
        for name, (_, value) in changes.items():
            setattr(row, name, value)
        row.full_clean()
        row.save()
    return changes
