"""API tokens: made and revoked by their user, known by their digest alone."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import TokenAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import events
from accounts.events import Action
from accounts.models import ApiToken, User

if TYPE_CHECKING:
    from drf_spectacular.openapi import AutoSchema

PREFIX = "cytodesk_"  # lets a secret scanner recognise a token that was pasted somewhere
USE_IS_NOTED_EVERY = timedelta(minutes=1)
Page = Callable[..., HttpResponse]
SCHEMES = (b"token", b"bearer")


def make_token(user: User, name: str) -> tuple[ApiToken, str]:
    """A token and its secret, which nobody can see a second time."""
    secret = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if not user.is_active:
            raise PermissionDenied
        token = ApiToken(user=user, name=name.strip(), digest=_digest(secret))
        token.full_clean()
        token.save()
        events.record(Action.TOKEN_MADE, user.laboratory, user, user, token=token.name)
    return token, secret


def revoke_token(token: ApiToken, actor: User) -> ApiToken:
    """End one's own token; revoked twice is revoked once."""
    with transaction.atomic():
        token = ApiToken.objects.select_for_update(no_key=True).get(pk=token.pk)
        if token.user_id != actor.pk:
            raise PermissionDenied
        if token.revoked_at is None:
            token.revoked_at = timezone.now()
            token.save(update_fields=["revoked_at"])
            events.record(Action.TOKEN_REVOKED, actor.laboratory, actor, actor, token=token.name)
    return token


class ApiTokenAuthentication(TokenAuthentication):
    """`Authorization: Token …` or `Bearer …`; one refusal for whatever is wrong with a token."""

    model = ApiToken

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, *credentials = get_authorization_header(request).split() or [b""]
        if scheme.lower() not in SCHEMES:
            return None
        if len(credentials) != 1:
            raise AuthenticationFailed("Send one token: Authorization: Token <secret>.")
        return self.authenticate_credentials(credentials[0].decode("latin-1"))

    def authenticate_credentials(self, key: str) -> tuple[User, ApiToken]:
        token = (
            ApiToken.objects.select_related("user__laboratory").filter(digest=_digest(key)).first()
        )
        if token is None or token.revoked_at is not None or not token.user.is_active:
            raise AuthenticationFailed("This token is unknown, revoked or its user is not active.")
        _note_use(token)
        return token.user, token


def token_or_login_required(page: Page) -> Page:
    """Let a page that programs need too, such as a picture, take a token in place of a session."""

    @wraps(page)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not get_authorization_header(Request(request)):
            return login_required(page)(request, *args, **kwargs)
        try:
            known = ApiTokenAuthentication().authenticate(Request(request))
        except AuthenticationFailed as error:
            return HttpResponse(str(error.detail), status=401, content_type="text/plain")
        if known is None:
            return login_required(page)(request, *args, **kwargs)
        request.user = known[0]
        return page(request, *args, **kwargs)

    return answer


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # untyped metaclass
    """How the token appears in the OpenAPI schema."""

    target_class = ApiTokenAuthentication
    name = "apiToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token that a user makes on their profile page.",
        }


def _note_use(token: ApiToken) -> None:
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at >= USE_IS_NOTED_EVERY:
        token.last_used_at = now
        token.save(update_fields=["last_used_at"])


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
