"""Pages about oneself: the way in and out, passwords, joining, the profile and its API tokens."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.views import (
    INTERNAL_RESET_SESSION_TOKEN,
    LoginView,
    PasswordChangeView,
    PasswordResetConfirmView,
    PasswordResetView,
)
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import arrival, authentication, factors, letters, people, tokens
from accounts.authentication import WrongPassword
from accounts.forms import FactorForm, LoginForm, OwnPasswordForm, TokenForm
from accounts.models import User
from accounts.requests import Request


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("worklist")
    return render(request, "accounts/home.html")


class LogIn(LoginView):
    template_name = "accounts/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    def form_valid(self, form: Any) -> HttpResponse:  # noqa: ANN401 -- the base class is generic
        user = form.get_user()
        if factors.kinds_of(user):
            arrival.begin(self.request, user, self.get_success_url())
            return redirect("login-factor")
        arrival.arrive(self.request, user, "a password")
        return redirect(self.get_success_url())


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def login_factor(request: HttpRequest) -> HttpResponse:
    """The second step of log-in, for who has a second factor; without the first it is not there."""
    known = arrival.halfway(request)
    if known is None:
        return redirect("login")
    user, place = known
    form = FactorForm(request.POST or None)
    form.fields["code"].widget.attrs["autofocus"] = True
    if form.is_valid():
        answer = authentication.answer_of(request, **form.given())
        try:
            method = authentication.prove(request, user, answer, "at log-in")
        except WrongPassword as error:
            form.add_error("code", str(error))
        else:
            arrival.arrive(request, user, f"a password and {method}", gave_factor=True)
            return redirect(place)
    context = {"form": form, "kinds": factors.kinds_of(user), "person": user}
    return render(request, "accounts/login_factor.html", context)


class PasswordChange(PasswordChangeView):
    template_name = "accounts/password_change.html"
    form_class = OwnPasswordForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:  # noqa: ANN401 -- the base class is generic
        user = people.change_password(form.user, form.cleaned_data["new_password1"])
        update_session_auth_hash(self.request, user)
        self.request.session.pop(authentication.SIGNING_SINCE, None)
        messages.success(self.request, "Your password is changed; your other sessions are ended.")
        return redirect("profile")


class PasswordReset(PasswordResetView):
    template_name = "accounts/password_reset.html"
    email_template_name = "accounts/letters/password_reset.txt"
    subject_template_name = "accounts/letters/password_reset_subject.txt"
    success_url = reverse_lazy("password-reset-sent")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 -- as in Django
        return super().get_context_data(mail_is_delivered=letters.are_delivered(), **kwargs)


class PasswordResetConfirm(PasswordResetConfirmView):
    template_name = "accounts/password_reset_confirm.html"

    def get_user(self, uidb64: str) -> User | None:
        user = super().get_user(uidb64)
        return user if isinstance(user, User) and user.is_active else None

    def form_valid(self, form: Any) -> HttpResponse:  # noqa: ANN401 -- the base class is generic
        people.reset_password(form.user, form.cleaned_data["new_password1"])
        del self.request.session[INTERNAL_RESET_SESSION_TOKEN]
        messages.success(self.request, "Your new password is set. Log in with it.")
        return redirect("login")


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def invitation_accept(request: HttpRequest, secret: str) -> HttpResponse:
    try:
        invitation = people.find_invitation(secret)
    except people.InvitationNotOpen as error:
        return render(request, "accounts/join.html", {"refusal": str(error)}, status=410)
    invited = User(email=invitation.email, name=invitation.name)
    form = SetPasswordForm(invited, request.POST or None)
    context = {"invitation": invitation, "form": form}
    # Whoever is logged in is not the invited person, who has no account yet.
    if request.user.is_authenticated or not form.is_valid():
        return render(request, "accounts/join.html", context)
    try:
        people.accept(secret, form.cleaned_data["new_password1"])
    except people.Refused as error:
        return render(request, "accounts/join.html", {"refusal": str(error)}, status=409)
    messages.success(request, f"Welcome, {invitation.name}. Log in with your new password.")
    return redirect("login")


@login_required
@require_safe
def profile(request: Request) -> HttpResponse:
    return _profile(request, TokenForm())


@never_cache
@login_required
@require_POST
def token_make(request: Request) -> HttpResponse:
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _profile(request, form)
    token, secret = tokens.make_token(request.user, form.cleaned_data["name"])
    return render(request, "accounts/token_made.html", {"token": token, "secret": secret})


@login_required
@require_POST
def token_revoke(request: Request, pk: int) -> HttpResponse:
    token = get_object_or_404(request.user.api_tokens, pk=pk)
    tokens.revoke_token(token, request.user)
    messages.success(request, f"The token “{token.name}” no longer works.")
    return redirect("profile")


def _profile(request: Request, form: TokenForm) -> HttpResponse:
    context = {"form": form, "tokens": request.user.api_tokens.filter(revoked_at=None)}
    return render(request, "accounts/profile.html", context)
