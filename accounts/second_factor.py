"""Pages about one's own second factors: set up, list, remove, and what a passkey is asked."""

from __future__ import annotations

from collections.abc import Callable

import segno
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import arrival, authentication, encryption, factors, passkeys
from accounts.authentication import WrongPassword, reauthenticate
from accounts.forms import AppForm, CredentialsForm, PasskeyForm
from accounts.models import User
from accounts.passkeys import NotAccepted, Site
from accounts.requests import Request

SECRET = "new_app_secret"  # noqa: S105 -- where it is kept, not what it is
NOT_MADE = "The passkey was not made: use the button, and follow what the browser asks."


@never_cache
@login_required
@require_safe
def factor_list(request: Request) -> HttpResponse:
    context = {
        "factors": request.user.factors.all(),
        "codes_left": request.user.recovery_codes.filter(used_at=None).count(),
        "site": Site.of(request),
        "must": request.user.laboratory.requires_second_factor,
    }
    return render(request, "accounts/factor_list.html", context)


@never_cache
@sensitive_post_parameters()
@login_required
@require_http_methods(["GET", "POST"])
def factor_app(request: Request) -> HttpResponse:
    """Show the secret of a new app as a picture and as text; keep it once a code proves it."""
    form = AppForm(request.POST or None)
    sealed = request.session.get(SECRET) if request.method == "POST" else None
    secret = encryption.decrypt(sealed) if sealed else factors.new_secret()
    if form.is_valid() and sealed:
        given = form.cleaned_data
        codes = _kept(
            request,
            form,
            lambda: factors.add_app(
                request.user, name=given["name"], secret=secret, code=given["first_code"]
            ),
        )
        if codes is not None:
            del request.session[SECRET]
            return _set_up(request, codes, f"“{given['name']}” is asked for from now on.")
    request.session[SECRET] = encryption.encrypt(secret)
    context = {
        "form": form,
        "asked": authentication.asked(request),
        "secret": " ".join(secret[place : place + 4] for place in range(0, len(secret), 4)),
        "picture": _picture(factors.address_of(request.user, secret)),
    }
    return render(request, "accounts/factor_app.html", context)


@never_cache
@sensitive_post_parameters()
@login_required
@require_http_methods(["GET", "POST"])
def factor_passkey(request: Request) -> HttpResponse:
    """Keep a passkey that the browser has made for the offer of `passkey_offer`."""
    form = PasskeyForm(request.POST or None)
    if form.is_valid():
        given = form.cleaned_data
        state = request.session.pop(authentication.OFFER, None)
        try:
            passkey = passkeys.made(Site.of(request), state or {}, given["made"])
        except NotAccepted:
            form.add_error(None, NOT_MADE)
        else:
            codes = _kept(
                request,
                form,
                lambda: factors.add_passkey(request.user, name=given["name"], passkey=passkey),
            )
            if codes is not None:
                return _set_up(request, codes, f"“{given['name']}” is asked for from now on.")
    context = {"form": form, "asked": authentication.asked(request), "site": Site.of(request)}
    return render(request, "accounts/factor_passkey.html", context)


@never_cache
@login_required
@require_POST
def passkey_offer(request: Request) -> HttpResponse:
    """What a browser needs to make a passkey."""
    known = factors.credentials_of(request.user)
    options, state = passkeys.offer(Site.of(request), request.user, known)
    request.session[authentication.OFFER] = dict(state)
    return JsonResponse(options)


@never_cache
@require_POST
def passkey_challenge(request: HttpRequest) -> HttpResponse:
    """What a browser needs to use a passkey: of who is logged in, or has given their password."""
    halfway = arrival.halfway(request)
    person = halfway[0] if halfway else request.user
    if not isinstance(person, User):
        return HttpResponseForbidden("Give your password first.", content_type="text/plain")
    options, state = passkeys.challenge(Site.of(request), factors.credentials_of(person))
    authentication.keep_challenge(request, state)
    return JsonResponse(options)


@never_cache
@sensitive_post_parameters()
@login_required
@require_http_methods(["GET", "POST"])
def factor_remove(request: Request, pk: int) -> HttpResponse:
    factor = get_object_or_404(request.user.factors, pk=pk)
    form = CredentialsForm(request.POST or None)
    if form.is_valid() and _confirmed(request, form, lambda: factors.remove(factor, request.user)):
        request.session.pop(authentication.SIGNING_SINCE, None)
        if not request.user.factors.exists():
            request.session[arrival.GAVE_FACTOR] = False
        messages.success(request, f"“{factor.name}” is asked for no more.")
        return redirect("factor-list")
    return _ask(request, form, f"Remove “{factor.name}”", "Remove it", is_removal=True)


@never_cache
@sensitive_post_parameters()
@login_required
@require_http_methods(["GET", "POST"])
def recovery_codes(request: Request) -> HttpResponse:
    """Make ten new codes; whoever has none of the factors yet gets them with the first."""
    if not request.user.factors.exists():
        return redirect("factor-list")
    form = CredentialsForm(request.POST or None)
    codes: list[str] = []
    if form.is_valid() and _confirmed(
        request, form, lambda: codes.extend(factors.renew_recovery_codes(request.user))
    ):
        return render(request, "accounts/recovery_codes.html", {"codes": codes})
    return _ask(request, form, "New recovery codes", "Make new codes")


def _ask(
    request: Request, form: CredentialsForm, title: str, button: str, *, is_removal: bool = False
) -> HttpResponse:
    context = {
        "form": form,
        "asked": authentication.asked(request),
        "title": title,
        "button": button,
        "is_removal": is_removal,
    }
    return render(request, "accounts/factor_confirm.html", context)


def _confirmed(request: Request, form: CredentialsForm, verb: Callable[[], object]) -> bool:
    """Call a verb once the person has shown who they are; a refusal stands in the form."""
    try:
        reauthenticate(request, **form.given())
    except WrongPassword as error:
        form.add_error(error.field, str(error))
        return False
    try:
        verb()
    except ValidationError as error:
        _say(form, error)
        return False
    return True


def _kept(
    request: Request, form: CredentialsForm, verb: Callable[[], list[str]]
) -> list[str] | None:
    """The recovery codes that came with a new factor; None where it was refused."""
    codes: list[str] = []
    return codes if _confirmed(request, form, lambda: codes.extend(verb())) else None


def _say(form: Form, error: ValidationError) -> None:
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for name, sentences in error.message_dict.items():
        form.add_error(name if name in form.fields else None, sentences)


def _set_up(request: Request, codes: list[str], said: str) -> HttpResponse:
    """This session goes on, as it has the new factor; the others have ended."""
    request.user.refresh_from_db()
    update_session_auth_hash(request, request.user)
    request.session[arrival.GAVE_FACTOR] = True
    request.session.pop(authentication.SIGNING_SINCE, None)
    messages.success(request, f"{said} Your other sessions are ended.")
    if codes:
        return render(request, "accounts/recovery_codes.html", {"codes": codes, "is_first": True})
    return redirect("factor-list")


def _picture(address: str) -> SafeString:
    """The address as a QR code; drawn here, so that nobody else sees the secret."""
    drawn = segno.make(address, error="m").svg_inline(border=2, omitsize=True)
    return mark_safe(drawn)  # noqa: S308 -- squares drawn by a library, and no text of anybody's
