import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from accounts.laboratories import change_settings
from accounts.models import AccountEvent, Laboratory
from tests import make_accounts as make

pytestmark = pytest.mark.django_db

WANTED = {"name": "North", "time_zone": "Europe/Berlin", "idle_minutes": 15}


def test_changed_settings_are_recorded_with_their_old_values():
    administrator = make.administrator(laboratory=make.laboratory(name="South"))

    changed = change_settings(administrator.laboratory, administrator, WANTED)

    assert (changed.name, changed.time_zone) == ("North", "Europe/Berlin")
    [event] = AccountEvent.objects.all()
    assert event.detail["changes"] == {
        "name": {"old": "South", "new": "North"},
        "time_zone": {"old": "UTC", "new": "Europe/Berlin"},
    }


def test_saving_what_is_there_already_is_no_event():
    administrator = make.administrator()
    change_settings(administrator.laboratory, administrator, WANTED)

    change_settings(administrator.laboratory, administrator, WANTED)

    assert AccountEvent.objects.count() == 1


@pytest.mark.parametrize(
    "wrong", [{"time_zone": "Mars/Base"}, {"idle_minutes": 0}, {"idle_minutes": 481}, {"name": ""}]
)
def test_a_value_that_makes_no_sense_changes_nothing(wrong):
    administrator = make.administrator()

    with pytest.raises(ValidationError):
        change_settings(administrator.laboratory, administrator, WANTED | wrong)

    assert Laboratory.objects.get().time_zone == "UTC"
    assert not AccountEvent.objects.exists()


def test_only_the_laboratorys_own_administrator_changes_its_settings():
    laboratory = make.laboratory()
    others = [
        make.pathologist(laboratory=laboratory),
        make.cytotechnologist(laboratory=laboratory),
        make.administrator(),
    ]

    for actor in others:
        with pytest.raises(PermissionDenied):
            change_settings(laboratory, actor, WANTED)

    laboratory.refresh_from_db()
    assert laboratory.time_zone == "UTC"
