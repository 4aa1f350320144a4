"""How the tests of the API ask: as a person with a session or a token, by route."""

from django.urls import reverse
from rest_framework.test import APIClient

from accounts import tokens
from tests.make_accounts import PASSWORD

ACCESSION = {"record_number": "P-77", "specimen_type": "LBC"}
NILM = {"adequacy": "SAT", "interpretations": ["NILM"], "password": PASSWORD}


def as_person(user):
    """A client with the session of this person, or of nobody."""
    client = APIClient()
    if user is not None:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def with_token(user):
    """A client with a token that this person has just made."""
    _, secret = tokens.make_token(user, "a program")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {secret}")
    return client


def url(name, case=None, image_id=None):
    where = {"case_id": case and case.pk, "image_id": image_id}
    return reverse(f"api-{name}", kwargs={key: value for key, value in where.items() if value})
