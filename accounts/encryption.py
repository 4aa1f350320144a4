"""Text encrypted at rest: what would name a patient, and the secrets of second factors.

A value is kept as a Fernet token. The first of ``PATIENT_KEYS`` encrypts and every one decrypts, so
a key is replaced by putting a new one in front.
"""

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class MissingKey(Exception):
    """No configured key opens a stored value: the key that closed it is not among them."""


def encrypt(text: str) -> str:
    return _keys().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    try:
        return _keys().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise MissingKey(
            "A patient's name or birth date, or the secret of a second factor, was encrypted with a"
            " key that PATIENT_KEYS does not name. Put that key back, behind the first one."
        ) from error


def _keys() -> MultiFernet:
    return _fernet(tuple(settings.PATIENT_KEYS))


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise ImproperlyConfigured("PATIENT_KEYS is empty: name at least one Fernet key.")
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise ImproperlyConfigured(
            "PATIENT_KEYS names something that is no Fernet key (32 bytes in URL-safe base64)."
        ) from error
