"""The verbs about people: what each changes, whom it refuses, and two at once."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from accounts import events, lockout, people, permissions, tokens
from accounts.models import AccountEvent, Invitation, Role, User
from tests import make_accounts as make
from tests.at_once import at_once

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "a long walk along the river"
REFUSALS = (people.Refused, PermissionDenied)


def recorded():
    """What is on record, oldest first: action, actor and subject."""
    return [(e.action, e.actor, e.subject) for e in AccountEvent.objects.order_by("at")]


def invited(administrator, **values):
    given = {"email": "ada@example.org", "name": "Dr Ada Sample", "role": Role.PATHOLOGIST}
    return people.invite(administrator, **(given | values))


# Invitations


def test_invite_keeps_only_the_digest_of_the_link():
    administrator = make.administrator()

    issued = invited(administrator, email=" Ada@Example.org ")

    invitation = Invitation.objects.get()
    assert issued.invitation == invitation
    assert (invitation.email, invitation.role) == ("ada@example.org", Role.PATHOLOGIST)
    assert invitation.laboratory == administrator.laboratory
    assert issued.secret not in str(vars(invitation))
    [event] = AccountEvent.objects.all()
    assert (event.action, event.actor) == ("invited", administrator)
    assert event.detail == {
        "email": "ada@example.org",
        "name": "Dr Ada Sample",
        "role": "pathologist",
    }


@pytest.mark.parametrize("role", [Role.CYTOTECHNOLOGIST, Role.PATHOLOGIST])
def test_only_an_administrator_invites(role):
    with pytest.raises(PermissionDenied):
        invited(make.user(role))

    assert not Invitation.objects.exists()
    assert recorded() == []


def test_an_administrator_deactivated_a_moment_ago_invites_nobody():
    administrator = make.administrator()
    User.objects.filter(pk=administrator.pk).update(is_active=False)

    with pytest.raises(PermissionDenied):
        invited(administrator)

    assert not Invitation.objects.exists()


def test_r17_the_address_of_an_account_is_never_given_to_another():
    administrator = make.administrator()
    make.user(email="ada@example.org", is_active=False)

    with pytest.raises(people.Refused, match="belongs to an account already"):
        invited(administrator)

    assert not Invitation.objects.exists()


def test_an_address_is_invited_once_at_a_time():
    administrator = make.administrator()
    invited(administrator)

    with pytest.raises(people.Refused, match="has an invitation already"):
        invited(administrator, email="ADA@example.org")

    assert Invitation.objects.count() == 1


def test_r17_accept_makes_the_account_with_the_password_of_the_invited_person():
    administrator = make.administrator()
    issued = invited(administrator)

    user = people.accept(issued.secret, NEW_PASSWORD)

    assert (user.email, user.name) == ("ada@example.org", "Dr Ada Sample")
    assert (user.role, user.laboratory) == (Role.PATHOLOGIST, administrator.laboratory)
    assert user.check_password(NEW_PASSWORD)
    issued.invitation.refresh_from_db()
    assert issued.invitation.accepted_at is not None
    assert recorded() == [("invited", administrator, None), ("joined", user, user)]


def test_an_invitation_is_accepted_once():
    issued = invited(make.administrator())
    people.accept(issued.secret, NEW_PASSWORD)

    with pytest.raises(people.InvitationNotOpen):
        people.accept(issued.secret, NEW_PASSWORD)

    assert User.objects.filter(email="ada@example.org").count() == 1


def test_an_invitation_expires_after_seven_days():
    issued = invited(make.administrator())
    just_before = timezone.now() - timedelta(days=6, hours=23)
    Invitation.objects.update(issued_at=just_before)
    assert people.find_invitation(issued.secret) == issued.invitation

    Invitation.objects.update(issued_at=timezone.now() - timedelta(days=7))

    with pytest.raises(people.InvitationNotOpen, match="seven days"):
        people.accept(issued.secret, NEW_PASSWORD)
    assert not User.objects.filter(email="ada@example.org").exists()


def test_a_withdrawn_invitation_is_worthless_and_makes_room_for_another():
    administrator = make.administrator()
    issued = invited(administrator)

    people.withdraw_invitation(issued.invitation, administrator)

    with pytest.raises(people.InvitationNotOpen):
        people.accept(issued.secret, NEW_PASSWORD)
    invited(administrator)
    assert [action for action, *_ in recorded()] == ["invited", "invitation-withdrawn", "invited"]


def test_a_new_link_replaces_the_old_one_and_starts_a_new_week():
    administrator = make.administrator()
    old = invited(administrator)
    Invitation.objects.update(issued_at=timezone.now() - timedelta(days=8))

    new = people.reissue_invitation(old.invitation, administrator)

    with pytest.raises(people.InvitationNotOpen):
        people.accept(old.secret, NEW_PASSWORD)
    assert people.accept(new.secret, NEW_PASSWORD).email == "ada@example.org"
    assert [action for action, *_ in recorded()] == ["invited", "invitation-reissued", "joined"]


@pytest.mark.parametrize("verb", [people.reissue_invitation, people.withdraw_invitation])
def test_an_accepted_invitation_is_closed(verb):
    administrator = make.administrator()
    issued = invited(administrator)
    people.accept(issued.secret, NEW_PASSWORD)

    with pytest.raises(people.InvitationNotOpen):
        verb(issued.invitation, administrator)


@pytest.mark.parametrize("verb", [people.reissue_invitation, people.withdraw_invitation])
def test_an_invitation_belongs_to_its_laboratory(verb):
    issued = invited(make.administrator())

    with pytest.raises(PermissionDenied):
        verb(issued.invitation, make.administrator())

    assert people.find_invitation(issued.secret).is_open


@pytest.mark.parametrize("password", ["short", "password1234", "123456789012", "dr ada sample"])
def test_a_weak_password_is_refused_and_the_invitation_stays_open(password):
    issued = invited(make.administrator())

    with pytest.raises(ValidationError):
        people.accept(issued.secret, password)

    assert people.find_invitation(issued.secret).is_open
    assert not User.objects.filter(email="ada@example.org").exists()


def test_r17_of_two_laboratories_that_invite_the_same_address_the_first_gets_the_account():
    first, second = invited(make.administrator()), invited(make.administrator())
    people.accept(first.secret, NEW_PASSWORD)

    with pytest.raises(people.Refused, match="belongs to an account already"):
        people.accept(second.secret, NEW_PASSWORD)
    with pytest.raises(people.Refused, match="belongs to an account already"):
        people.reissue_invitation(second.invitation, second.invitation.invited_by)

    assert User.objects.get(email="ada@example.org").laboratory == first.invitation.laboratory


@pytest.mark.django_db(transaction=True)
def test_an_invitation_accepted_twice_at_once_makes_one_account():
    issued = invited(make.administrator())

    outcomes = at_once([lambda: people.accept(issued.secret, NEW_PASSWORD)] * 2, REFUSALS)

    assert sorted(outcomes) == ["InvitationNotOpen", "done"]
    assert User.objects.filter(email="ada@example.org").count() == 1


# Roles


def test_change_role_records_the_old_and_the_new_one():
    administrator = make.administrator()
    person = make.cytotechnologist(laboratory=administrator.laboratory)

    changed = people.change_role(person, administrator, Role.PATHOLOGIST)

    assert permissions.is_pathologist(changed)
    assert User.objects.get(pk=person.pk).role == Role.PATHOLOGIST
    [event] = AccountEvent.objects.all()
    assert (event.action, event.actor, event.subject) == ("role-changed", administrator, person)
    assert event.detail == {"changes": {"role": {"old": "cytotechnologist", "new": "pathologist"}}}


def test_nobody_changes_their_own_role():
    administrator = make.administrator()
    make.administrator(laboratory=administrator.laboratory)

    with pytest.raises(PermissionDenied):
        people.change_role(administrator, administrator, Role.PATHOLOGIST)

    assert User.objects.get(pk=administrator.pk).role == Role.ADMINISTRATOR


def test_the_same_role_again_is_refused():
    administrator = make.administrator()
    person = make.pathologist(laboratory=administrator.laboratory)

    with pytest.raises(people.Refused, match="already"):
        people.change_role(person, administrator, Role.PATHOLOGIST)

    assert recorded() == []


# Deactivation


def test_r20_deactivate_ends_api_tokens_for_good():
    administrator = make.administrator()
    person = make.pathologist(laboratory=administrator.laboratory)
    token, _ = tokens.make_token(person, "scanner")

    people.deactivate(person, administrator)
    assert not User.objects.get(pk=person.pk).is_active
    people.reactivate(person, administrator)

    token.refresh_from_db()
    assert token.revoked_at is not None
    assert User.objects.get(pk=person.pk).is_active
    assert recorded()[1:] == [
        ("deactivated", administrator, person),
        ("reactivated", administrator, person),
    ]
    assert AccountEvent.objects.get(action="deactivated").detail == {
        "changes": {"is_active": {"old": True, "new": False}},
        "tokens_revoked": 1,
    }


def test_what_is_done_already_is_refused():
    administrator = make.administrator()
    person = make.pathologist(laboratory=administrator.laboratory)

    with pytest.raises(people.Refused, match="active already"):
        people.reactivate(person, administrator)
    people.deactivate(person, administrator)
    with pytest.raises(people.Refused, match="deactivated already"):
        people.deactivate(person, administrator)

    assert recorded() == [("deactivated", administrator, person)]


def test_the_last_active_administrator_stays():
    administrator = make.administrator()
    make.administrator(laboratory=administrator.laboratory, is_active=False)
    make.administrator()

    with pytest.raises(people.LastAdministrator, match="the last active administrator"):
        people.deactivate(administrator, administrator)

    assert User.objects.get(pk=administrator.pk).is_active
    assert recorded() == []


def test_one_of_two_administrators_may_leave():
    leaving = make.administrator()
    make.administrator(laboratory=leaving.laboratory)

    people.deactivate(leaving, leaving)

    assert not User.objects.get(pk=leaving.pk).is_active


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_two_administrators_who_leave_at_once_do_not_leave_nobody(attempt):
    first = make.administrator()
    second = make.administrator(laboratory=first.laboratory)

    outcomes = at_once(
        [lambda: people.deactivate(first, first), lambda: people.deactivate(second, second)],
        REFUSALS,
    )

    assert sorted(outcomes) == ["LastAdministrator", "done"]
    assert User.objects.filter(is_active=True).count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_two_administrators_who_demote_each_other_at_once_do_not_leave_nobody(attempt):
    first = make.administrator()
    second = make.administrator(laboratory=first.laboratory)

    outcomes = at_once(
        [
            lambda: people.change_role(first, second, Role.PATHOLOGIST),
            lambda: people.change_role(second, first, Role.PATHOLOGIST),
        ],
        REFUSALS,
    )

    assert sorted(outcomes) == ["PermissionDenied", "done"]
    assert User.objects.filter(role=Role.ADMINISTRATOR).count() == 1


# Getting in again


def test_unlock_is_refused_where_nothing_is_locked():
    administrator = make.administrator()
    person = make.user(laboratory=administrator.laboratory)

    with pytest.raises(people.Refused, match="no failed log-ins"):
        people.unlock(person, administrator)

    assert recorded() == []


def test_unlock_forgets_the_failures_of_one_person(client):
    administrator = make.administrator()
    person = make.user(laboratory=administrator.laboratory)
    other = make.user()
    for email in [person.email, person.email, other.email]:
        client.post("/login/", {"username": email, "password": "wrong"})

    people.unlock(person, administrator)

    assert lockout.failures_of(person.email).count == 0
    assert lockout.failures_of(other.email).count == 1
    event = AccountEvent.objects.get(action="unlocked")
    assert event.detail == {"failures_forgotten": 2}


def test_r17_a_reset_link_is_on_record_and_sets_no_password():
    administrator = make.administrator()
    person = make.user(laboratory=administrator.laboratory)

    people.issue_reset_link(person, administrator)

    assert User.objects.get(pk=person.pk).check_password(make.PASSWORD)
    assert recorded() == [("reset-link-issued", administrator, person)]


def test_a_deactivated_person_gets_no_reset_link():
    administrator = make.administrator()
    person = make.user(laboratory=administrator.laboratory, is_active=False)

    with pytest.raises(people.Refused, match="reactivate"):
        people.issue_reset_link(person, administrator)

    assert recorded() == []


@pytest.mark.parametrize("verb", [people.change_password, people.reset_password])
def test_a_new_password_is_checked_and_on_record_without_being_written_down(verb):
    person = make.user()

    with pytest.raises(ValidationError):
        verb(person, "short")
    verb(person, NEW_PASSWORD)

    assert User.objects.get(pk=person.pk).check_password(NEW_PASSWORD)
    [event] = AccountEvent.objects.all()
    assert (event.actor, event.subject, event.detail) == (person, person, {})


def test_a_deactivated_person_sets_no_password():
    person = make.user(is_active=False)

    with pytest.raises(PermissionDenied):
        people.reset_password(person, NEW_PASSWORD)

    assert User.objects.get(pk=person.pk).check_password(make.PASSWORD)


# Who may do all this

VERBS = {
    "change_role": lambda subject, actor: people.change_role(subject, actor, Role.ADMINISTRATOR),
    "deactivate": people.deactivate,
    "reactivate": people.reactivate,
    "unlock": people.unlock,
    "issue_reset_link": people.issue_reset_link,
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("role", [Role.CYTOTECHNOLOGIST, Role.PATHOLOGIST, "stranger"])
def test_a_verb_is_refused_to_other_roles_and_to_administrators_elsewhere(verb, role):
    person = make.user(is_active=verb != "reactivate")
    if role == "stranger":
        actor = make.administrator()
    else:
        actor = make.user(role, laboratory=person.laboratory)

    with pytest.raises(PermissionDenied):
        VERBS[verb](person, actor)

    unchanged = User.objects.get(pk=person.pk)
    assert (unchanged.role, unchanged.is_active) == (person.role, person.is_active)
    assert recorded() == []


def test_r6_an_administrator_says_who_is_a_senior_and_the_change_is_recorded():
    administrator = make.administrator()
    subject = make.cytotechnologist(laboratory=administrator.laboratory, name="Kim")

    changed = people.change_seniority(subject, administrator, is_senior=True)
    people.change_seniority(subject, administrator, is_senior=True)

    assert changed.is_senior
    [event] = AccountEvent.objects.all()
    assert event.detail["changes"] == {"is_senior": {"old": False, "new": True}}
    assert events.sentence(event).endswith("changed whether Kim is a senior: from off to on")


@pytest.mark.parametrize("role", ["pathologist", "administrator"])
def test_only_a_cytotechnologist_is_made_a_senior(role):
    administrator = make.administrator()
    subject = make.user(role, laboratory=administrator.laboratory)

    with pytest.raises(PermissionDenied):
        people.change_seniority(subject, administrator, is_senior=True)
