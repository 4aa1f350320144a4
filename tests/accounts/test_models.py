import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts import events
from accounts.events import Action
from accounts.models import AccountEvent, Invitation, Laboratory, Role, User
from tests import make_accounts as make

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "change",
    [
        lambda: AccountEvent.objects.update(action="forged"),
        lambda: connection.cursor().execute("DELETE FROM accounts_accountevent"),
        lambda: connection.cursor().execute(
            "SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE accounts_accountevent"
        ),
    ],
    ids=["update", "delete", "truncate"],
)
def test_r18_the_database_refuses_to_rewrite_account_events(change):
    person = make.user()
    events.record(Action.JOINED, person.laboratory, person, person, role=person.role)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        change()

    assert AccountEvent.objects.get().action == "joined"


@pytest.mark.parametrize(
    "change",
    [
        lambda _: connection.cursor().execute("DELETE FROM accounts_user"),
        lambda people: people.update(email="other@example.org"),
        lambda people: people.update(laboratory=make.laboratory()),
    ],
    ids=["deleted", "renamed", "moved"],
)
def test_r17_the_database_refuses_to_pass_an_account_on(change):
    person = make.user()

    with pytest.raises(DatabaseError, match="never"), transaction.atomic():
        change(User.objects.filter(pk=person.pk))

    assert User.objects.get(pk=person.pk).email == person.email


def test_r20_an_address_is_one_person_in_any_spelling():
    make.user(email="Ada@Example.org")

    with pytest.raises(ValidationError, match="Somebody has this e-mail address already"):
        make.user(email=" ada@example.ORG ")

    assert User.objects.get_by_natural_key("ADA@example.org").email == "ada@example.org"


def test_r20_the_database_keeps_an_address_for_one_person():
    person = make.user()

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email=person.email, role=person.role, laboratory=make.laboratory())


@pytest.mark.parametrize("values", [{"email": "Ada@example.org"}, {"role": "janitor"}])
def test_r20_the_database_refuses_an_address_with_capitals_and_an_unknown_role(values):
    known = {"email": "ada@example.org", "role": Role.PATHOLOGIST, "laboratory": make.laboratory()}

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(name="Ada", **(known | values))

    assert not User.objects.exists()


def test_the_database_keeps_one_open_invitation_for_an_address_in_a_laboratory():
    administrator = make.administrator()
    values = {
        "laboratory": administrator.laboratory,
        "email": "ada@example.org",
        "name": "Ada",
        "role": Role.PATHOLOGIST,
        "invited_by": administrator,
    }
    Invitation.objects.create(digest="1", **values)

    with pytest.raises(IntegrityError), transaction.atomic():
        Invitation.objects.create(digest="2", **values)

    Invitation.objects.create(digest="3", **(values | {"laboratory": make.laboratory()}))
    assert Invitation.objects.count() == 2


@pytest.mark.parametrize("name", ["Mars/Base", "", "../etc/passwd", "europe/berlin"])
def test_a_time_zone_that_nobody_knows_is_refused(name):
    with pytest.raises(ValidationError) as refused:
        Laboratory(name="Laboratory", time_zone=name).full_clean()

    assert list(refused.value.message_dict) == ["time_zone"]


def test_a_user_without_a_password_cannot_log_in(client):
    person = make.user(password=None)

    assert not person.has_usable_password()
    client.post("/login/", {"username": person.email, "password": person.password})
    assert "_auth_user_id" not in client.session
