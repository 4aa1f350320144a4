"""Laboratories and their settings, users with one role, invitations, API tokens, account events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import ClassVar
from uuid import uuid4
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils import timezone
from django.utils.crypto import salted_hmac

INVITATION_LIFETIME = timedelta(days=7)


class Role(models.TextChoices):
    CYTOTECHNOLOGIST = "cytotechnologist"
    PATHOLOGIST = "pathologist"
    ADMINISTRATOR = "administrator"


@cache
def time_zones() -> tuple[str, ...]:
    """The names of the IANA database, in order; read from the disk once."""
    return tuple(sorted(available_timezones()))


class Laboratory(models.Model):
    """The organisation that owns users, cases and settings; nothing crosses its border."""

    name = models.CharField(max_length=200, unique=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    letterhead = models.TextField(
        blank=True,
        validators=[MaxLengthValidator(400)],
        help_text="Stands under the name on reports: address, telephone, director.",
    )
    idle_minutes = models.PositiveSmallIntegerField(
        default=15,
        validators=[MinValueValidator(1), MaxValueValidator(480)],
        help_text="Minutes without activity after which a person is logged off.",
    )
    routine_turnaround_hours = models.PositiveSmallIntegerField(
        default=120,
        validators=[MinValueValidator(1), MaxValueValidator(8760)],
        help_text="Hours from accession to signature within which a routine case is on time.",
    )
    urgent_turnaround_hours = models.PositiveSmallIntegerField(
        default=24,
        validators=[MinValueValidator(1), MaxValueValidator(8760)],
        help_text="The same for an urgent case.",
    )
    signing_minutes = models.PositiveSmallIntegerField(
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(480)],
        help_text="Minutes after a full signature in which the password alone signs again.",
    )
    requires_second_factor = models.BooleanField(
        default=False,
        help_text="Whoever has no second factor sets one up after log-in, before anything else.",
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "laboratories"
        constraints = [
            models.CheckConstraint(
                name="laboratory_times_are_positive",
                condition=Q(idle_minutes__gte=1)
                & Q(signing_minutes__gte=1)
                & Q(routine_turnaround_hours__gte=1)
                & Q(urgent_turnaround_hours__gte=1),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a time zone that the IANA database does not know."""
        super().clean()
        if self.time_zone not in time_zones():
            sentence = f"{self.time_zone} is not a time zone: write one like Europe/Berlin."
            raise ValidationError({"time_zone": sentence})

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def login_name(email: str) -> str:
    """The one way in which an address is written, so that its case never makes two people."""
    return email.strip().lower()


class UserManager(BaseUserManager["User"]):
    """Makes users; a password left out is unusable until the person sets one."""

    def create_user(  # noqa: PLR0913 -- each is a fact of a person, named at the call
        self,
        email: str,
        password: str | None = None,
        *,
        name: str,
        role: str,
        laboratory: Laboratory,
        is_active: bool = True,
    ) -> User:
        user = self.model(
            email=login_name(email),
            name=name,
            role=role,
            laboratory=laboratory,
            is_active=is_active,
        )
        user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=login_name(username or ""))


class User(AbstractBaseUser):
    """A person with one role in one laboratory; an account is never passed on (R17)."""

    email = models.EmailField(
        "e-mail address",
        max_length=254,
        unique=True,
        error_messages={"unique": "Somebody has this e-mail address already."},
    )
    name = models.CharField("printed name", max_length=150)
    role = models.CharField(max_length=20, choices=Role.choices)
    laboratory = models.ForeignKey(Laboratory, on_delete=models.PROTECT, related_name="users")
    is_active = models.BooleanField("active", default=True)
    is_senior = models.BooleanField(
        "senior",
        default=False,
        help_text="A senior cytotechnologist may read a case again that a colleague has read (R6).",
    )
    sessions_ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)

    objects = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name", "role", "laboratory"]

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(
                name="user_email_is_lower_case", condition=Q(email=Lower("email"))
            ),
            models.CheckConstraint(name="user_has_a_known_role", condition=Q(role__in=Role.values)),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        self.email = login_name(self.email)

    def get_full_name(self) -> str:
        return self.name

    def get_session_auth_hash(self) -> str:
        """What a session must match: neither a new password nor an ended session survives it."""
        return self._session_hash(settings.SECRET_KEY)

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        for secret in settings.SECRET_KEY_FALLBACKS:
            yield self._session_hash(secret)

    def _session_hash(self, secret: str | bytes) -> str:
        ended = self.sessions_ended_at.isoformat() if self.sessions_ended_at else ""
        return salted_hmac(
            "accounts.User.session", f"{self.password}|{ended}", secret=secret, algorithm="sha256"
        ).hexdigest()


class Invitation(models.Model):
    """A one-time link by which a person joins; only the digest of its secret is kept."""

    laboratory = models.ForeignKey(Laboratory, on_delete=models.PROTECT, related_name="invitations")
    email = models.EmailField("e-mail address", max_length=254)
    name = models.CharField("printed name", max_length=150)
    role = models.CharField(max_length=20, choices=Role.choices)
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    issued_at = models.DateTimeField(default=timezone.now)
    accepted_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-issued_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["laboratory", "email"],
                name="invitation_one_open_per_address",
                condition=Q(accepted_at=None, withdrawn_at=None),
                violation_error_message="This address has an open invitation already.",
            ),
            models.CheckConstraint(
                name="invitation_email_is_lower_case", condition=Q(email=Lower("email"))
            ),
            models.CheckConstraint(
                name="invitation_has_a_known_role", condition=Q(role__in=Role.values)
            ),
            models.CheckConstraint(
                name="invitation_not_both_accepted_and_withdrawn",
                condition=Q(accepted_at=None) | Q(withdrawn_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} as {self.role}"

    @property
    def expires_at(self) -> datetime:
        return self.issued_at + INVITATION_LIFETIME

    @property
    def is_expired(self) -> bool:
        return timezone.now() >= self.expires_at

    @property
    def is_open(self) -> bool:
        return self.accepted_at is None and self.withdrawn_at is None and not self.is_expired


class ApiToken(models.Model):
    """A token that a user made for a program; only its digest is kept."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=100, help_text="What the token is for.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name


class Factor(models.Model):
    """A second thing that proves who is there, beside the password; removed, its secret is gone."""

    class Kind(models.TextChoices):
        CODE = "code", "Authenticator app"
        PASSKEY = "passkey"

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="factors")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(max_length=100)
    sealed = models.TextField(
        editable=False, help_text="Encrypted: an app's secret, a passkey's public key."
    )
    credential = models.CharField(  # noqa: DJ001 -- unique, where there is one
        max_length=64, null=True, editable=False, help_text="SHA-256 of a passkey's id."
    )
    counter = models.BigIntegerField(
        default=0, editable=False, help_text="The step of the last code, or a passkey's own count."
    )
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["credential"], name="passkey_has_one_owner"),
            models.CheckConstraint(
                name="factor_of_a_kind_with_its_parts",
                condition=Q(kind="code", credential=None)
                | Q(kind="passkey", credential__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RecoveryCode(models.Model):
    """A code for the day on which the second factor is lost; only its digest is kept."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="recovery_codes")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return "used" if self.used_at else "unused"


class ChainHead(models.Model):
    """Where a laboratory's chain of events ends: how many there are, and the digest of the last.

    Its row is the lock by which events that happen at once follow each other. There are two chains,
    so that somebody who hammers at the log-in page never keeps a reader's event waiting.
    """

    class Chain(models.TextChoices):
        CASES = "cases"
        ACCOUNTS = "accounts"

    laboratory = models.ForeignKey(Laboratory, on_delete=models.PROTECT, related_name="chains")
    chain = models.CharField(max_length=10, choices=Chain.choices)
    length = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["laboratory", "chain"]
        constraints = [
            models.UniqueConstraint("laboratory", "chain", name="chain_has_one_head"),
        ]

    def __str__(self) -> str:
        return f"{self.chain} of {self.laboratory}"


class ChainedEvent(models.Model):
    """An event that carries the digest of the one before it; the database fills the chain in.

    Whatever is written here for the four columns is replaced by a trigger, see `accounts.chain`.
    """

    sequence = models.BigIntegerField(db_default=0, editable=False)
    previous = models.CharField(max_length=64, db_default="", editable=False)
    digest = models.CharField(max_length=64, db_default="", editable=False)
    recorded_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="By the clock of the database server."
    )

    class Meta:
        abstract = True


class AccountEvent(ChainedEvent):
    """What happened to an account: append-only and chained, by triggers in the database (R18)."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    laboratory = models.ForeignKey(Laboratory, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    subject = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(max_length=40)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [
            # The page of events: those of one laboratory, newest first.
            models.Index(fields=["laboratory", "-at"], name="account_event_by_laboratory"),
        ]
        constraints = [
            models.UniqueConstraint(
                "laboratory", "sequence", name="account_event_has_its_place_in_the_chain"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.at:%Y-%m-%d %H:%M}"
