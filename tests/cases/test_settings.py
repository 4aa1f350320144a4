"""How a laboratory reads: who changes it, what is recorded, what it never goes below."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from accounts import events
from accounts.models import AccountEvent
from cases.models import ReadingSettings
from cases.settings import change_reading
from tests import make

pytestmark = pytest.mark.django_db

PAGE = "reading-settings"
FORM = {
    "reading_order": "assisted",
    "unsatisfactory_to_pathologist": "on",
    "endometrial_to_pathologist": "on",
    "rescreen_percent": "10",
    "higher_risk": "flagged",
}


def test_a_laboratory_begins_as_one_that_does_not_screen():
    settings = ReadingSettings.of(make.laboratory())

    assert (settings.primary_screening, settings.is_blind_first) == (False, False)
    assert (settings.rescreen_percent, settings.higher_risk) == (10, "flagged")


def test_r2_signing_by_cytotechnologists_is_off_and_unsat_and_endo45_go_to_a_pathologist():
    settings = ReadingSettings.of(make.laboratory())

    assert settings.cytotechnologists_sign is False
    assert settings.unsatisfactory_to_pathologist is True
    assert settings.endometrial_to_pathologist is True


def test_r18_every_change_is_recorded_with_the_old_and_the_new_value():
    administrator = make.administrator()
    wanted = {"primary_screening": True, "reading_order": "blind-first", "rescreen_percent": 10}

    change_reading(administrator.laboratory, administrator, wanted)
    change_reading(administrator.laboratory, administrator, wanted)

    assert ReadingSettings.of(administrator.laboratory).is_blind_first
    [event] = AccountEvent.objects.all()
    assert event.detail["changes"] == {
        "primary_screening": {"old": False, "new": True},
        "reading_order": {"old": "assisted", "new": "blind-first"},
    }
    assert events.sentence(event) == (
        f"{administrator} changed how the laboratory reads: "
        "reading order from assisted to blind-first, primary screening from off to on"
    )


@pytest.mark.parametrize("share", [0, 9, 101])
def test_r5_the_share_of_rescreens_is_never_under_ten_percent(share):
    administrator = make.administrator()

    with pytest.raises(ValidationError):
        change_reading(administrator.laboratory, administrator, {"rescreen_percent": share})
    with pytest.raises(IntegrityError), transaction.atomic():
        ReadingSettings.objects.create(laboratory=administrator.laboratory, rescreen_percent=share)

    assert not AccountEvent.objects.exists()


def test_only_the_laboratorys_own_administrator_changes_how_it_reads():
    laboratory = make.laboratory()
    others = [
        make.pathologist(laboratory=laboratory),
        make.cytotechnologist(laboratory=laboratory),
        make.administrator(),
    ]

    for actor in others:
        with pytest.raises(PermissionDenied):
            change_reading(laboratory, actor, {"primary_screening": True})

    assert ReadingSettings.of(laboratory).primary_screening is False


def test_the_page_saves_what_was_chosen(client):
    administrator = make.administrator()
    client.force_login(administrator)

    answer = client.post(
        reverse(PAGE), FORM | {"primary_screening": "on", "rescreen_percent": "25"}, follow=True
    )

    assertContains(answer, "The settings are saved.")
    settings = ReadingSettings.of(administrator.laboratory)
    assert (settings.primary_screening, settings.rescreen_percent) == (True, 25)
    assert settings.unsatisfactory_to_pathologist is True


def test_the_page_saves_the_model_and_the_level_that_were_chosen(client):
    administrator = make.administrator()
    version = make.model_version()
    client.force_login(administrator)

    answer = client.post(
        reverse(PAGE), FORM | {"model_version": str(version.pk), "set_level": "0.95"}, follow=True
    )

    assertContains(answer, "The settings are saved.")
    settings = ReadingSettings.of(administrator.laboratory)
    assert (settings.model_version, settings.set_level) == (version, 0.95)
    [event] = AccountEvent.objects.filter(detail__has_key="changes")
    assert f"model version from the usual to {version.name}" in events.sentence(event)
    assert "level of the prediction sets from the usual to 0.95" in events.sentence(event)


def test_a_model_that_is_gone_is_refused_in_a_sentence(client):
    make.model_version()
    newer = make.newer_model_version()
    client.force_login(make.administrator())

    answer = client.post(reverse(PAGE), FORM | {"model_version": str(newer.pk)})

    assertContains(answer, "There is no folder newer among the models of this installation.")
    assert not ReadingSettings.objects.exists()


def test_r5_a_share_below_ten_is_refused_in_a_sentence_and_the_rest_is_kept_on_the_page(client):
    client.force_login(make.administrator())

    answer = client.post(
        reverse(PAGE), FORM | {"reading_order": "blind-first", "rescreen_percent": "5"}
    )

    assertContains(answer, "greater than or equal to 10")
    assertNotContains(answer, "The settings are saved.")
    assert answer.context["form"]["reading_order"].value() == "blind-first"
    assert not ReadingSettings.objects.exists()
