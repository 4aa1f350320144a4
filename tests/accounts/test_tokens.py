from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from accounts import tokens
from accounts.models import AccountEvent, ApiToken, User
from tests import make_accounts as make

pytestmark = pytest.mark.django_db


def authenticated(header):
    """What the API makes of an `Authorization` header."""
    headers = {"HTTP_AUTHORIZATION": header} if header else {}
    request = Request(APIRequestFactory().get("/", **headers))
    return tokens.ApiTokenAuthentication().authenticate(request)


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "token", "bearer"])
def test_a_token_stands_for_its_user(scheme):
    user = make.pathologist()
    token, secret = tokens.make_token(user, "scanner")

    assert authenticated(f"{scheme} {secret}") == (user, token)


@pytest.mark.parametrize("header", [None, "", "Basic dXNlcjpwYXNz"])
def test_other_credentials_are_left_to_others(header):
    assert authenticated(header) is None


@pytest.mark.parametrize("header", ["Token", "Token a b", "Token unknown", "Bearer \xff\xfe"])
def test_what_is_no_token_is_refused(header):
    with pytest.raises(AuthenticationFailed):
        authenticated(header)


def test_a_token_is_kept_only_as_its_digest():
    token, secret = tokens.make_token(make.user(), "scanner")

    token.refresh_from_db()
    assert secret not in str(vars(token))
    with pytest.raises(AuthenticationFailed):
        authenticated(f"Token {token.digest}")


def test_a_revoked_token_is_refused():
    user = make.user()
    token, secret = tokens.make_token(user, "scanner")

    tokens.revoke_token(token, user)
    tokens.revoke_token(token, user)

    with pytest.raises(AuthenticationFailed):
        authenticated(f"Token {secret}")
    actions = [(event.action, event.detail) for event in AccountEvent.objects.order_by("at")]
    assert actions == [
        ("token-made", {"token": "scanner"}),
        ("token-revoked", {"token": "scanner"}),
    ]


def test_nobody_revokes_the_token_of_another():
    token, secret = tokens.make_token(make.user(), "scanner")

    with pytest.raises(PermissionDenied):
        tokens.revoke_token(token, make.administrator(laboratory=token.user.laboratory))

    assert authenticated(f"Token {secret}")


def test_the_token_of_an_inactive_user_is_refused():
    user = make.user()
    _, secret = tokens.make_token(user, "scanner")
    User.objects.filter(pk=user.pk).update(is_active=False)

    with pytest.raises(AuthenticationFailed):
        authenticated(f"Token {secret}")


def test_an_inactive_user_makes_no_token():
    with pytest.raises(PermissionDenied):
        tokens.make_token(make.user(is_active=False), "scanner")

    assert not ApiToken.objects.exists()


def test_a_token_needs_a_name():
    with pytest.raises(ValidationError):
        tokens.make_token(make.user(), "  ")


def test_the_last_use_is_noted_at_most_once_a_minute(django_assert_num_queries):
    token, secret = tokens.make_token(make.user(), "scanner")

    with django_assert_num_queries(2):
        authenticated(f"Token {secret}")
    with django_assert_num_queries(1):
        authenticated(f"Token {secret}")

    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    authenticated(f"Token {secret}")
    token.refresh_from_db()
    assert timezone.now() - token.last_used_at < timedelta(seconds=30)


def test_the_schema_knows_the_token():
    schema = tokens.ApiTokenScheme(tokens.ApiTokenAuthentication()).get_security_definition(None)

    assert (schema["type"], schema["scheme"]) == ("http", "bearer")
