"""The second factor as a way to be recognised, so that the lock-out counts it like a password."""

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from accounts import factors
from accounts.models import User


class SecondFactorBackend(BaseBackend):
    """Recognises an active person by what they gave beside the password; never by that alone.

    Only `accounts.authentication` calls it, for a person whose password was right.
    """

    def authenticate(  # type: ignore[override] # asked with an answer, and by nothing else
        self, request: HttpRequest | None, username: str, *, answer: factors.Answer
    ) -> User | None:
        del request
        user = User.objects.filter(email=username, is_active=True).first()
        return user if user and factors.recognise(user, answer) else None
