"""The server's command for who has lost every second factor, and whom nobody else can help."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts import events, factors
from accounts.models import AccountEvent, Factor
from tests import make

pytestmark = pytest.mark.django_db


def with_factors(user):
    for kind, credential in (("code", None), ("passkey", f"{user.pk:064d}")):
        Factor.objects.create(
            user=user, kind=kind, name="Phone", sealed="sealed", credential=credential
        )
    user.recovery_codes.create(digest=f"{user.pk:064d}")
    return user


def reset(email, operator="Jo Miller"):
    told = StringIO()
    call_command("reset_second_factor", email, operator=operator, stdout=told)
    return told.getvalue()


def test_the_factors_of_one_account_are_forgotten_and_it_says_so():
    person = with_factors(make.administrator(email="ada@example.org", name="Ada"))
    other = with_factors(make.administrator(laboratory=person.laboratory))
    password = person.password

    told = reset("Ada@Example.org")

    person.refresh_from_db()
    assert factors.kinds_of(person) == set()
    assert not person.recovery_codes.exists()
    assert person.sessions_ended_at is not None
    assert person.password == password
    assert factors.kinds_of(other) == {"code", "passkey"}
    assert "2 second factors of Ada (ada@example.org" in told


def test_r18_it_is_on_record_with_the_name_of_who_ran_it():
    person = with_factors(make.administrator(name="Ada"))

    reset(person.email, " Jo Miller ")

    [event] = AccountEvent.objects.all()
    assert (event.actor, event.subject, event.laboratory) == (None, person, person.laboratory)
    assert events.sentence(event) == (
        "Jo Miller, who operates the server, reset the second factor of Ada, who had lost it"
    )


@pytest.mark.parametrize(
    ("email", "sentence"),
    [
        ("nobody@example.org", "No account has the address nobody@example.org. Nothing was"),
        ("plain@example.org", "Plain has no second factor to reset. Nothing was changed."),
        ("gone@example.org", "The account of Gone is inactive"),
    ],
)
def test_what_cannot_be_reset_is_refused_and_nothing_is_changed(email, sentence):
    make.administrator(email="plain@example.org", name="Plain")
    with_factors(make.administrator(email="gone@example.org", name="Gone", is_active=False))

    with pytest.raises(CommandError, match=sentence):
        reset(email)

    assert Factor.objects.count() == 2
    assert not AccountEvent.objects.exists()


@pytest.mark.parametrize("operator", ["", "  ", "x" * 101, "Jo\nMiller", "nul\0"])
def test_who_runs_it_says_who_they_are(operator):
    person = with_factors(make.administrator())

    with pytest.raises(CommandError, match="Say who you are"):
        reset(person.email, operator)

    assert factors.kinds_of(person)
