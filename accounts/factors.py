"""Second factors: codes of an app, passkeys, recovery codes; each proof is good for one time.

Nobody sees a secret a second time. A code that was used, and every earlier one, is refused; so is a
passkey whose count has not gone on, which a copy of it would show.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

import pyotp
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from pyotp.exceptions import OTPVerificationError

from accounts import encryption, events, passkeys
from accounts.events import Action
from accounts.models import Factor, RecoveryCode, User
from accounts.passkeys import NotAccepted, Passkey, Site, State

ISSUER = "CytoDesk"
RECOVERY_CODES = 10
# As many as a person may have: more would only be more to lose.
MOST_FACTORS = 10
_STEPS_EITHER_WAY = 1  # of 30 seconds, for clocks that differ
_DIGITS = 6
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # nothing that is read as something else
_GROUPS, _GROUP = 4, 4  # 80 bits
Kind = Factor.Kind


@dataclass(slots=True)
class Answer:
    """What a person gave beside the password; ``method`` is filled in once it is recognised."""

    code: str = ""
    passkey: str = ""
    site: Site | None = None
    state: State | None = field(default=None, repr=False)
    method: str = ""

    def __bool__(self) -> bool:
        return bool(self.code.strip() or self.passkey)

    @property
    def kind(self) -> str:
        return "passkey" if self.passkey else "code"


def kinds_of(user: User) -> set[str]:
    """The kinds of second factor that a person has; empty where the password is all."""
    return set(user.factors.values_list("kind", flat=True))


def recognise(user: User, answer: Answer) -> bool:
    """Whether this is a proof of the person's, used up by asking."""
    if answer.passkey:
        known = _used_passkey(user, answer)
        answer.method = "a passkey" if known else ""
    else:
        code = "".join(character for character in answer.code.upper() if character.isalnum())
        if code.isdecimal() and len(code) == _DIGITS:
            answer.method = "a code" if _used_code(user, code) else ""
        else:
            answer.method = "a recovery code" if _used_recovery_code(user, code) else ""
    return bool(answer.method)


def _used_code(user: User, code: str) -> bool:
    """Whether an app of the person shows this code now; each step counts once, also in a race."""
    for factor in user.factors.filter(kind=Kind.CODE):
        step = _step(encryption.decrypt(factor.sealed), code)
        if step and _go_on(factor, step):
            return True
    return False


def _step(secret: str, code: str) -> int:
    """The step of thirty seconds whose code this is; 0 for none of those about now."""
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(
            code, for_time=timezone.now(), valid_window=_STEPS_EITHER_WAY
        )
    except OTPVerificationError:
        return 0


def _used_passkey(user: User, answer: Answer) -> bool:
    if answer.state is None or answer.site is None:
        return False
    try:
        used = passkeys.used(answer.site, answer.state, credentials_of(user), answer.passkey)
    except NotAccepted:
        return False
    factor = user.factors.filter(credential=_digest(used.id)).first()
    return factor is not None and _go_on(factor, used.counter)


def _go_on(factor: Factor, counter: int) -> bool:
    """Move a factor's counter on; what does not move it on was used before, or was copied.

    Passkeys that do not count say 0 every time.
    """
    behind = Q(counter__lt=counter)
    if factor.kind == Kind.PASSKEY and counter == 0:
        behind |= Q(counter=0)
    moved = Factor.objects.filter(behind, pk=factor.pk)
    return bool(moved.update(counter=counter, last_used_at=timezone.now()))


def _used_recovery_code(user: User, code: str) -> bool:
    unused = user.recovery_codes.filter(digest=_digest(code.encode()), used_at=None)
    return bool(unused.update(used_at=timezone.now()))


def credentials_of(user: User) -> list[bytes]:
    """The public parts of a person's passkeys."""
    sealed = user.factors.filter(kind=Kind.PASSKEY).values_list("sealed", flat=True)
    return [base64.b64decode(encryption.decrypt(one)) for one in sealed]


# ── What a person sets up ────────────────────────────────────────────────────────────────────────


def new_secret() -> str:
    """For an app, in base32; it is the person's once they have shown a code of it."""
    return pyotp.random_base32()


def address_of(user: User, secret: str) -> str:
    """What the picture for the app's camera says."""
    return pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=ISSUER)


def add_app(user: User, *, name: str, secret: str, code: str) -> list[str]:
    """Keep an app that shows this code; the code is used with it. See `_add`."""
    step = _step(secret, "".join(code.split()))
    if not step:
        sentence = "That is not the code that the app should show: check that its clock is right."
        raise ValidationError({"first_code": sentence})
    return _add(user, Factor(kind=Kind.CODE, name=name, counter=step), secret)


def add_passkey(user: User, *, name: str, passkey: Passkey) -> list[str]:
    """Keep a passkey that a browser has made. See `_add`."""
    factor = Factor(
        kind=Kind.PASSKEY, name=name, credential=_digest(passkey.id), counter=passkey.counter
    )
    return _add(user, factor, base64.b64encode(passkey.credential).decode())


def _add(user: User, factor: Factor, secret: str) -> list[str]:
    """Keep a factor and end the person's other sessions, which did not have it.

    Returns the recovery codes that come with the first factor; none with a later one.
    """
    with transaction.atomic():
        user = _locked(user)
        held = user.factors.count()
        if held >= MOST_FACTORS:
            raise ValidationError(f"You have {MOST_FACTORS} already: remove one first.")
        factor.user = user
        factor.sealed = encryption.encrypt(secret)
        factor.full_clean()
        factor.save()
        user.sessions_ended_at = timezone.now()
        user.save(update_fields=["sessions_ended_at"])
        kind = factor.get_kind_display().lower()
        events.record(
            Action.FACTOR_ADDED, user.laboratory, user, user, kind=kind, factor=factor.name
        )
        return [] if held else _renew(user)


def renew_recovery_codes(user: User) -> list[str]:
    """Ten new codes, shown this once; the old ones are worthless."""
    with transaction.atomic():
        user = _locked(user)
        if not user.factors.exists():
            raise PermissionDenied
        events.record(Action.RECOVERY_CODES_MADE, user.laboratory, user, user)
        return _renew(user)


def remove(factor: Factor, actor: User) -> Factor:
    """Forget one's own factor and its secret; with the last one the recovery codes go too."""
    with transaction.atomic():
        actor = _locked(actor)
        factor = Factor.objects.select_for_update().get(pk=factor.pk)
        if factor.user_id != actor.pk:
            raise PermissionDenied
        name, kind = factor.name, factor.get_kind_display().lower()
        factor.delete()
        if not actor.factors.exists():
            actor.recovery_codes.all().delete()
        events.record(Action.FACTOR_REMOVED, actor.laboratory, actor, actor, kind=kind, factor=name)
    return factor


def forget_all(subject: User) -> int:
    """Forget a person's factors and recovery codes, for the verb that gives them a fresh start."""
    subject.recovery_codes.all().delete()
    forgotten, _ = subject.factors.all().delete()
    return forgotten


def _renew(user: User) -> list[str]:
    user.recovery_codes.all().delete()
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, digest=_digest(code.replace("-", "").encode())) for code in codes
    )
    return codes


def _recovery_code() -> str:
    groups: Iterable[str] = (
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS)
    )
    return "-".join(groups)


def _locked(user: User) -> User:
    user = User.objects.select_for_update(no_key=True, of=["self"]).get(pk=user.pk)
    if not user.is_active:
        raise PermissionDenied
    return user


def _digest(secret: bytes) -> str:
    return sha256(secret).hexdigest()
