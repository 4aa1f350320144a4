"""The request that a page receives once its visitor is known."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User


class Request(HttpRequest):
    """A request behind `login_required`: its user is a person, and htmx says what it wants."""

    user: User
    htmx: HtmxDetails
