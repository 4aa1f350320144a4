"""The verb that changes the settings of a laboratory."""

from dataclasses import asdict, dataclass

from django.core.exceptions import PermissionDenied
from django.db import transaction

from accounts import events, permissions
from accounts.models import Laboratory, User


@dataclass(frozen=True, slots=True)
class LaboratorySettings:
    """What an administrator decides for the whole laboratory."""

    name: str
    time_zone: str
    idle_minutes: int
    routine_turnaround_hours: int
    urgent_turnaround_hours: int
    signing_minutes: int = 30
    requires_second_factor: bool = False
    letterhead: str = ""


def change_settings(laboratory: Laboratory, actor: User, wanted: LaboratorySettings) -> Laboratory:
    """Change what differs and record the old values beside the new; nothing new is no event."""
    with transaction.atomic():
        laboratory = Laboratory.objects.select_for_update(no_key=True).get(pk=laboratory.pk)
        actor = User.objects.get(pk=actor.pk)
        if not permissions.can_change_settings(actor) or actor.laboratory_id != laboratory.pk:
            raise PermissionDenied
        changes = {
            name: (getattr(laboratory, name), value)
            for name, value in asdict(wanted).items()
            if getattr(laboratory, name) != value
        }
        if changes:
            for name, (_, value) in changes.items():
                setattr(laboratory, name, value)
            laboratory.full_clean()
            laboratory.save(update_fields=list(changes))
            events.record(events.Action.SETTINGS_CHANGED, laboratory, actor, changes=changes)
    return laboratory
