"""Every verb about people: each locks, checks, changes and records an event in one transaction.

The laboratory's row is the lock, so that two administrators who act at once take turns: without it,
two could deactivate each other and leave nobody.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts import events, factors, lockout, permissions
from accounts.events import Action
from accounts.models import ApiToken, Invitation, Laboratory, Role, User, login_name


class Refused(Exception):
    """A verb that did not happen; the sentence says why, to people."""


class LastAdministrator(Refused):
    """A laboratory always has someone who can let people in."""


class InvitationNotOpen(Refused):
    """An invitation that was used, withdrawn or left too long."""


@dataclass(frozen=True, slots=True)
class IssuedInvitation:
    """An invitation with the secret of its link, which is known only now."""

    invitation: Invitation
    secret: str


@dataclass(frozen=True, slots=True)
class ResetLink:
    """The two parts of a one-time password-reset address."""

    uidb64: str
    token: str


def invite(actor: User, *, email: str, name: str, role: str) -> IssuedInvitation:
    """Offer a person an account; only the holder of the link can accept it."""
    with _acting(actor) as actor:
        _require(permissions.can_manage_people(actor))
        _refuse_known_address(email)
        secret = secrets.token_urlsafe(32)
        invitation = Invitation(
            laboratory=actor.laboratory,
            email=login_name(email),
            name=name.strip(),
            role=Role(role),
            invited_by=actor,
            digest=_digest(secret),
        )
        if actor.laboratory.invitations.filter(
            email=invitation.email, accepted_at=None, withdrawn_at=None
        ).exists():
            raise Refused(f"{invitation.email} has an invitation already: issue its link anew.")
        invitation.full_clean()
        invitation.save()
        _record_invitation(Action.INVITED, invitation, actor)
    return IssuedInvitation(invitation, secret)


def reissue_invitation(invitation: Invitation, actor: User) -> IssuedInvitation:
    """Make a new link with a new week; the old link is worthless from now on."""
    with _acting(actor) as actor:
        invitation = _pending(invitation, actor)
        _refuse_known_address(invitation.email)
        secret = secrets.token_urlsafe(32)
        invitation.digest = _digest(secret)
        invitation.issued_at = timezone.now()
        invitation.save(update_fields=["digest", "issued_at"])
        _record_invitation(Action.INVITATION_REISSUED, invitation, actor)
    return IssuedInvitation(invitation, secret)


def withdraw_invitation(invitation: Invitation, actor: User) -> Invitation:
    with _acting(actor) as actor:
        invitation = _pending(invitation, actor)
        invitation.withdrawn_at = timezone.now()
        invitation.save(update_fields=["withdrawn_at"])
        _record_invitation(Action.INVITATION_WITHDRAWN, invitation, actor)
    return invitation


def find_invitation(secret: str) -> Invitation:
    """The open invitation behind a link."""
    invitation = (
        Invitation.objects.select_related("laboratory", "invited_by")
        .filter(digest=_digest(secret))
        .first()
    )
    if invitation is None or not invitation.is_open:
        raise InvitationNotOpen(
            "This invitation was used, withdrawn or is older than seven days. "
            "Ask an administrator of the laboratory for a new link."
        )
    return invitation


def accept(secret: str, password: str) -> User:
    """Join with a password that only the invited person knows; the link works once."""
    with transaction.atomic():
        found = find_invitation(secret)
        Laboratory.objects.select_for_update(no_key=True).get(pk=found.laboratory_id)
        invitation = find_invitation(secret)  # again: the lock may have been waited for
        _refuse_known_address(invitation.email)
        validate_password(password, User(email=invitation.email, name=invitation.name))
        user = User.objects.create_user(
            invitation.email,
            password,
            name=invitation.name,
            role=invitation.role,
            laboratory=invitation.laboratory,
        )
        invitation.accepted_at = timezone.now()
        invitation.save(update_fields=["accepted_at"])
        events.record(Action.JOINED, user.laboratory, user, user, role=user.role)
    return user


def change_role(subject: User, actor: User, role: str) -> User:
    """Give a person another role, effective with their next click."""
    with _acting(actor) as actor:
        subject = _fresh(subject)
        _require(permissions.can_change_role(actor, subject))
        old, new = subject.role, Role(role)
        if old == new:
            raise Refused(f"{subject.name} has the role {new.label.lower()} already.")
        _keep_an_administrator(subject)
        subject.role = new
        subject.save(update_fields=["role"])
        events.record(
            Action.ROLE_CHANGED,
            subject.laboratory,
            actor,
            subject,
            changes={"role": (old, new.value)},
        )
    return subject


def change_seniority(subject: User, actor: User, *, is_senior: bool) -> User:
    """Say whether a cytotechnologist may rescreen; it holds from their next click on."""
    with _acting(actor) as actor:
        subject = _fresh(subject)
        _require(permissions.can_change_seniority(actor, subject))
        if subject.is_senior != is_senior:
            subject.is_senior = is_senior
            subject.save(update_fields=["is_senior"])
            events.record(
                Action.SENIORITY_CHANGED,
                subject.laboratory,
                actor,
                subject,
                changes={"is_senior": (not is_senior, is_senior)},
            )
    return subject


def deactivate(subject: User, actor: User) -> User:
    """Shut a person out at once: sessions end and API tokens are revoked, for good."""
    with _acting(actor) as actor:
        subject = _fresh(subject)
        _require(permissions.can_manage(actor, subject))
        if not subject.is_active:
            raise Refused(f"{subject.name} is deactivated already.")
        _keep_an_administrator(subject)
        subject.is_active = False
        subject.sessions_ended_at = timezone.now()
        subject.save(update_fields=["is_active", "sessions_ended_at"])
        tokens = ApiToken.objects.filter(user=subject, revoked_at=None)
        events.record(
            Action.DEACTIVATED,
            subject.laboratory,
            actor,
            subject,
            changes={"is_active": (True, False)},
            tokens_revoked=tokens.update(revoked_at=timezone.now()),
        )
    return subject


def reactivate(subject: User, actor: User) -> User:
    """Let a person in again, with the password they had; old sessions and tokens stay dead."""
    with _acting(actor) as actor:
        subject = _fresh(subject)
        _require(permissions.can_manage(actor, subject))
        if subject.is_active:
            raise Refused(f"{subject.name} is active already.")
        subject.is_active = True
        subject.save(update_fields=["is_active"])
        events.record(
            Action.REACTIVATED,
            subject.laboratory,
            actor,
            subject,
            changes={"is_active": (False, True)},
        )
    return subject


def unlock(subject: User, actor: User) -> User:
    """Forget a person's failed log-ins, so that they may try again now."""
    with _acting(actor) as actor:
        subject = _fresh(subject)
        _require(permissions.can_manage(actor, subject))
        forgotten = lockout.forget(subject.email)
        if not forgotten:
            raise Refused(f"{subject.name} has no failed log-ins to forget.")
        events.record(
            Action.UNLOCKED, subject.laboratory, actor, subject, failures_forgotten=forgotten
        )
    return subject


def issue_reset_link(subject: User, actor: User) -> ResetLink:
    """Make a one-time link with which the person sets a new password themselves."""
    with _acting(actor) as actor:
        subject = _fresh(subject)
        _require(permissions.can_manage(actor, subject))
        if subject == actor:
            raise Refused("Change your own password on your profile page.")
        if not permissions.can_issue_reset_link(actor, subject):
            raise Refused(f"{subject.name} is deactivated: reactivate the account first.")
        events.record(Action.RESET_LINK_ISSUED, subject.laboratory, actor, subject)
        return ResetLink(
            uidb64=urlsafe_base64_encode(force_bytes(subject.pk)),
            token=default_token_generator.make_token(subject),
        )


def reset_factors(subject: User, actor: User) -> User:
    """Forget the second factors of a person who has lost them; their sessions end.

    The password stays as it is, and no secret is shown to anybody.
    """
    with _acting(actor) as actor:
        subject = _fresh(subject)
        _require(permissions.can_reset_factors(actor, subject))
        forgotten = _forget_factors(subject)
        events.record(
            Action.FACTORS_RESET, subject.laboratory, actor, subject, factors_forgotten=forgotten
        )
    return subject


def reset_factors_on_server(email: str, operator: str) -> tuple[User, int]:
    """The same from the server's command line: for the sole administrator, whom nobody can help.

    Returns whose factors are forgotten, and how many they were.
    """
    with transaction.atomic():
        found = User.objects.filter(email=login_name(email)).first()
        if found is None:
            raise Refused(f"No account has the address {email}.")
        subject = _fresh(found)
        if not subject.is_active:
            raise Refused(f"The account of {subject.name} is inactive: nobody logs in with it.")
        forgotten = _forget_factors(subject)
        events.record(
            Action.FACTORS_RESET_ON_SERVER,
            subject.laboratory,
            None,
            subject,
            operator=operator,
            factors_forgotten=forgotten,
        )
    return subject, forgotten


def _forget_factors(subject: User) -> int:
    """Forget the factors of a locked account and end its sessions; how many there were."""
    forgotten = factors.forget_all(subject)
    if not forgotten:
        raise Refused(f"{subject.name} has no second factor to reset.")
    subject.sessions_ended_at = timezone.now()
    subject.save(update_fields=["sessions_ended_at"])
    return forgotten


def change_password(user: User, password: str) -> User:
    """Set one's own new password; other sessions of the person end."""
    return _set_password(user, password, Action.PASSWORD_CHANGED)


def reset_password(user: User, password: str) -> User:
    """Set a password through a one-time link; failed log-ins are forgotten."""
    with transaction.atomic():
        user = _set_password(user, password, Action.PASSWORD_RESET)
        lockout.forget(user.email)
    return user


def _set_password(user: User, password: str, action: Action) -> User:
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True, of=["self"]).get(pk=user.pk)
        _require(user.is_active)
        validate_password(password, user)
        user.set_password(password)
        user.save(update_fields=["password"])
        events.record(action, user.laboratory, user, user)
    return user


@contextmanager
def _acting(actor: User) -> Iterator[User]:
    """Lock the actor's laboratory and yield the actor as they are now, not as they were."""
    with transaction.atomic():
        Laboratory.objects.select_for_update(no_key=True).get(pk=actor.laboratory_id)
        yield User.objects.select_related("laboratory").get(pk=actor.pk)


def _fresh(subject: User) -> User:
    return User.objects.select_for_update(no_key=True).get(pk=subject.pk)


def _pending(invitation: Invitation, actor: User) -> Invitation:
    invitation = Invitation.objects.select_related("laboratory").get(pk=invitation.pk)
    _require(permissions.can_manage_people(actor))
    _require(invitation.laboratory_id == actor.laboratory_id)
    if invitation.accepted_at or invitation.withdrawn_at:
        raise InvitationNotOpen(f"The invitation of {invitation.name} is closed already.")
    return invitation


def _keep_an_administrator(leaving: User) -> None:
    others = User.objects.filter(
        laboratory_id=leaving.laboratory_id, role=Role.ADMINISTRATOR, is_active=True
    ).exclude(pk=leaving.pk)
    if permissions.is_administrator(leaving) and not others.exists():
        raise LastAdministrator(
            f"{leaving.name} is the last active administrator: make someone else one first."
        )


def _refuse_known_address(email: str) -> None:
    if User.objects.filter(email=login_name(email)).exists():
        raise Refused(
            f"{login_name(email)} belongs to an account already, and addresses are not reassigned."
        )


def _record_invitation(action: Action, invitation: Invitation, actor: User) -> None:
    events.record(
        action,
        invitation.laboratory,
        actor,
        email=invitation.email,
        name=invitation.name,
        role=invitation.role,
    )


def _require(allowed: bool) -> None:
    if not allowed:
        raise PermissionDenied


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
