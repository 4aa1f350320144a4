"""Passkeys: what a browser is asked for, and whether its answer holds (WebAuthn, by `fido2`)."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from django.http import HttpRequest
from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from accounts.models import User

Options: TypeAlias = dict[str, Any]
State: TypeAlias = Mapping[str, Any]
# What an answer that is not in the form of one does to those who read it.
_MALFORMED = (ValueError, LookupError, TypeError, AttributeError, AssertionError, struct.error)
_PREFERRED = UserVerificationRequirement.PREFERRED


class NotAccepted(Exception):
    """The browser's answer is not that of the passkey asked for, or not to this question."""


@dataclass(frozen=True, slots=True)
class Site:
    """The site that a passkey belongs to, and the origin that the browser must be on."""

    name: str
    origin: str

    @classmethod
    def of(cls, request: HttpRequest) -> Site:
        host = request.get_host()
        return cls(urlsplit(f"//{host}").hostname or host, f"{request.scheme}://{host}")

    @property
    def can_have_passkeys(self) -> bool:
        """A passkey belongs to a name; no browser makes one for an address in numbers."""
        try:
            ip_address(self.name)
        except ValueError:
            return True
        return False

    def server(self) -> Fido2Server:
        party = PublicKeyCredentialRpEntity(id=self.name, name="CytoDesk")
        return Fido2Server(party, verify_origin=lambda origin: origin == self.origin)


@dataclass(frozen=True, slots=True)
class Passkey:
    """What is kept of a passkey: its id and public key in one, and how often it says it signed."""

    credential: bytes
    counter: int

    @property
    def id(self) -> bytes:
        return AttestedCredentialData(self.credential).credential_id


def offer(site: Site, user: User, known: Iterable[bytes]) -> tuple[Options, State]:
    """What a browser needs to make a passkey, and what is kept here until it has."""
    person = PublicKeyCredentialUserEntity(
        id=str(user.pk).encode(), name=user.email, display_name=user.name
    )
    options, state = site.server().register_begin(
        person,
        [AttestedCredentialData(credential) for credential in known],
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=_PREFERRED,
    )
    return dict(options), state


def made(site: Site, state: State, answer: str) -> Passkey:
    """The passkey that a browser has made for this offer."""
    try:
        data = site.server().register_complete(state, json.loads(answer))
    except _MALFORMED as error:
        raise NotAccepted from error
    if data.credential_data is None:
        raise NotAccepted
    return Passkey(bytes(data.credential_data), data.counter)


def challenge(site: Site, known: Iterable[bytes]) -> tuple[Options, State]:
    """What a browser needs to use one of these passkeys, and what is kept here until it has."""
    options, state = site.server().authenticate_begin(
        [AttestedCredentialData(credential) for credential in known], user_verification=_PREFERRED
    )
    return dict(options), state


def used(site: Site, state: State, known: Iterable[bytes], answer: str) -> Passkey:
    """Which of these passkeys has answered this challenge, and how often it has signed by now."""
    try:
        said = json.loads(answer)
        credential = site.server().authenticate_complete(
            state, [AttestedCredentialData(one) for one in known], said
        )
        counter = AuthenticationResponse.from_dict(said).response.authenticator_data.counter
    except _MALFORMED as error:
        raise NotAccepted from error
    return Passkey(bytes(credential), counter)
