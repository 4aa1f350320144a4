"""Around every page: log-off after idle time, the second factor, the laboratory's time zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import resolve_url
from django.urls import Resolver404, resolve
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

from accounts import arrival
from accounts.models import User

LAST_ACTIVITY = "last_activity"
# The session is written at most this often: a reader turns a page every few seconds.
NOTED_EVERY = timedelta(seconds=20)

Page = Callable[[HttpRequest], HttpResponse]


def idle_logoff(get_response: Page) -> Page:
    """End a session after the laboratory's idle time (R20), and show the way to log in again.

    Requests that scripts send by themselves say `X-Background: true`: they do not count as
    activity. Programs with an API token have no session and are not concerned.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            _end_or_note(request, request.user)
        known = request.user.is_authenticated
        response = get_response(request)
        if known and not response.has_header("Cache-Control"):
            # After log-off the browser's "back" must not bring the page back.
            patch_cache_control(response, private=True, no_store=True)
        if not known and _asks_to_log_in(response):
            return _way_to_log_in(request, response)
        return response

    return middleware


SET_UP = {
    *("factor-list", "factor-app", "factor-passkey", "passkey-offer", "passkey-challenge"),
    *("recovery-codes", "logout"),
}


def second_factor_first(get_response: Page) -> Page:
    """Where the laboratory requires a second factor, lead who gave none to its set-up.

    Nothing else is open to them. Programs with an API token have no session and are not concerned.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        user = request.user
        if (
            not user.is_authenticated
            or not user.laboratory.requires_second_factor
            or request.session.get(arrival.GAVE_FACTOR)
            or _address(request) in SET_UP
        ):
            return get_response(request)
        place = resolve_url("factor-list")
        if request.headers.get("HX-Request") == "true":
            return HttpResponseClientRedirect(place)
        if request.path_info.startswith("/api/") or _is_background(request):
            sentence = "Your laboratory requires a second factor: set one up on your profile page."
            return JsonResponse({"detail": sentence}, status=403)
        return HttpResponseRedirect(place)

    return middleware


def laboratory_time_zone(get_response: Page) -> Page:
    """Show every moment in the time zone of the visitor's laboratory."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return get_response(request)
        with timezone.override(request.user.laboratory.zone):
            return get_response(request)

    return middleware


def _end_or_note(request: HttpRequest, user: User) -> None:
    now = timezone.now().timestamp()
    last = request.session.get(LAST_ACTIVITY)
    minutes = user.laboratory.idle_minutes
    if last is not None and now - last >= minutes * 60:
        logout(request)
        duration = "a minute" if minutes == 1 else f"{minutes} minutes"
        messages.info(
            request,
            f"You were logged off after {duration} without activity. Nothing saved is lost.",
        )
    elif last is None or (not _is_background(request) and now - last >= _noted_every(minutes)):
        request.session[LAST_ACTIVITY] = now


def _noted_every(minutes: int) -> float:
    return min(NOTED_EVERY.total_seconds(), minutes * 60 / 20)


def _address(request: HttpRequest) -> str | None:
    try:
        return resolve(request.path_info).url_name
    except Resolver404:
        return None


def _is_background(request: HttpRequest) -> bool:
    return request.headers.get("X-Background") == "true"


def _asks_to_log_in(response: HttpResponse) -> bool:
    return isinstance(response, HttpResponseRedirect) and (
        urlsplit(response.url).path == resolve_url(settings.LOGIN_URL)
        and REDIRECT_FIELD_NAME + "=" in response.url
    )


def _way_to_log_in(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Lead back to the page that the person was on, in a form that the asker can follow."""
    fetched = request.headers.get("HX-Request") == "true"
    # To a script that would follow a redirect the log-in page looks like success.
    by_script = _is_background(request) or request.headers.get("Sec-Fetch-Dest") == "empty"
    if by_script and not fetched:
        return HttpResponse("You are logged off: log in again.", status=401)
    if request.method in ("GET", "HEAD") and not fetched:
        return response
    # A fragment or a posted form is no page to come back to; the page that sent it is.
    page = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    login = resolve_url(settings.LOGIN_URL)
    if page and url_has_allowed_host_and_scheme(page, request.get_host()):
        parts = urlsplit(page)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        login = f"{login}?{urlencode({REDIRECT_FIELD_NAME: path})}"
    return HttpResponseClientRedirect(login) if fetched else HttpResponseRedirect(login)
