"""Pages of administrators: the people of their laboratory and its settings; never a patient."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import events, factors, laboratories, letters, lockout, people, permissions
from accounts.forms import InvitationForm, LaboratoryForm, RoleForm
from accounts.models import Invitation, Laboratory, User, time_zones
from accounts.people import IssuedInvitation
from accounts.requests import Request

RECENT_EVENTS = 15
EVENTS_PER_PAGE = 50

Page = Callable[..., HttpResponse]


def administrator_required(page: Page) -> Page:
    """Anonymous visitors are asked to log in; other roles are told that this is not for them."""

    @wraps(page)
    def asked(request: Request, **kwargs: int) -> HttpResponse:
        if not permissions.can_manage_people(request.user):
            raise PermissionDenied
        return page(request, **kwargs)

    return login_required(asked)


@administrator_required
@require_safe
def user_list(request: Request) -> HttpResponse:
    return _people(request, InvitationForm())


@never_cache
@administrator_required
@require_POST
def invitation_make(request: Request) -> HttpResponse:
    form = InvitationForm(request.POST)
    if form.is_valid():
        try:
            return _issued(request, people.invite(request.user, **form.cleaned_data))
        except people.Refused as error:
            form.add_error("email", str(error))
    return _people(request, form)


@never_cache
@administrator_required
@require_POST
def invitation_reissue(request: Request, pk: int) -> HttpResponse:
    try:
        return _issued(request, people.reissue_invitation(_invitation(request, pk), request.user))
    except people.Refused as error:
        messages.error(request, str(error))
    return redirect("user-list")


@administrator_required
@require_POST
def invitation_withdraw(request: Request, pk: int) -> HttpResponse:
    try:
        invitation = people.withdraw_invitation(_invitation(request, pk), request.user)
    except people.Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The invitation of {invitation.name} is withdrawn.")
    return redirect("user-list")


@administrator_required
@require_safe
def user_detail(request: Request, pk: int) -> HttpResponse:
    subject = _person(request, pk)
    context = {
        "section": "people",
        "subject": subject,
        "failures": lockout.failures_of(subject.email),
        "role_form": RoleForm(initial={"role": subject.role}),
        "may_change_role": permissions.can_change_role(request.user, subject),
        "may_change_seniority": permissions.can_change_seniority(request.user, subject),
        "may_reset": permissions.can_issue_reset_link(request.user, subject),
        "factor_kinds": factors.kinds_of(subject),
        "may_reset_factors": permissions.can_reset_factors(request.user, subject),
        "events": events.told(
            events.recent(request.user.laboratory, subject=subject)[:RECENT_EVENTS]
        ),
    }
    return render(request, "accounts/user_detail.html", context)


@administrator_required
@require_POST
def user_role(request: Request, pk: int) -> HttpResponse:
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose one of the roles.")
        return redirect("user-detail", pk)
    role = form.cleaned_data["role"]
    verb = partial(people.change_role, role=role)
    return _changed(request, pk, verb, "{name} has the role {role} from now on.")


@administrator_required
@require_POST
def user_senior(request: Request, pk: int) -> HttpResponse:
    is_senior = request.POST.get("senior") == "yes"
    verb = partial(people.change_seniority, is_senior=is_senior)
    said = "{name} may rescreen from now on." if is_senior else "{name} rescreens no more."
    return _changed(request, pk, verb, said)


@administrator_required
@require_POST
def user_deactivate(request: Request, pk: int) -> HttpResponse:
    said = "{name} is deactivated: logged out everywhere, API tokens revoked."
    return _changed(request, pk, people.deactivate, said)


@administrator_required
@require_POST
def user_reactivate(request: Request, pk: int) -> HttpResponse:
    return _changed(request, pk, people.reactivate, "{name} may log in again.")


@administrator_required
@require_POST
def user_unlock(request: Request, pk: int) -> HttpResponse:
    return _changed(request, pk, people.unlock, "{name} may try to log in again now.")


@administrator_required
@require_POST
def user_factors_reset(request: Request, pk: int) -> HttpResponse:
    said = "{name} logs in with the password alone, until they set up a second factor again."
    return _changed(request, pk, people.reset_factors, said)


@never_cache
@administrator_required
@require_POST
def user_reset_link(request: Request, pk: int) -> HttpResponse:
    """Mail the link; show it only where no mail server could bring it to its owner (R17)."""
    subject = _person(request, pk)
    try:
        issued = people.issue_reset_link(subject, request.user)
    except people.Refused as error:
        messages.error(request, str(error))
        return redirect("user-detail", pk)
    path = reverse("password-reset-confirm", args=[issued.uidb64, issued.token])
    link = request.build_absolute_uri(path)
    if letters.send_reset_link(subject, request.user, link):
        messages.success(request, f"A password-reset link is on its way to {subject.email}.")
        return redirect("user-detail", pk)
    context = {"section": "people", "subject": subject, "link": link}
    return render(request, "accounts/reset_link.html", context)


@administrator_required
@require_safe
def event_list(request: Request) -> HttpResponse:
    only = request.GET.get("only", "")
    pages = Paginator(events.recent(request.user.laboratory, only), EVENTS_PER_PAGE)
    page = pages.get_page(request.GET.get("page"))
    context = {
        "section": "people",
        "page": page,
        "events": events.told(page.object_list),
        "only": only,
        "choices": (("", "Everything"), ("arrivals", "Log-ins"), ("changes", "Changes")),
    }
    return render(request, "accounts/event_list.html", context)


@administrator_required
@require_http_methods(["GET", "POST"])
def laboratory_settings(request: Request) -> HttpResponse:
    # A copy of its own: a refused form must not change the name in the page's header.
    laboratory = Laboratory.objects.get(pk=request.user.laboratory_id)
    form = LaboratoryForm(request.POST or None, instance=laboratory)
    if form.is_valid():
        laboratories.change_settings(laboratory, request.user, form.wanted())
        messages.success(request, "The settings are saved.")
        return redirect("laboratory-settings")
    context = {"form": form, "time_zones": time_zones()}
    return render(request, "accounts/laboratory_settings.html", context)


def _person(request: Request, pk: int) -> User:
    return get_object_or_404(request.user.laboratory.users, pk=pk)


def _invitation(request: Request, pk: int) -> Invitation:
    return get_object_or_404(request.user.laboratory.invitations, pk=pk)


def _people(request: Request, form: InvitationForm) -> HttpResponse:
    laboratory = request.user.laboratory
    users = list(laboratory.users.order_by("-is_active", "name", "pk"))
    failures = lockout.failures(user.email for user in users)
    invitations = laboratory.invitations.filter(accepted_at=None, withdrawn_at=None)
    context = {
        "section": "people",
        "people": [(user, failures.get(user.email)) for user in users],
        "invitations": invitations.select_related("invited_by"),
        "form": form,
        "events": events.told(events.recent(laboratory, "changes")[:RECENT_EVENTS]),
    }
    return render(request, "accounts/user_list.html", context)


def _changed(
    request: Request, pk: int, verb: Callable[[User, User], User], success: str
) -> HttpResponse:
    """Apply a verb to a person of one's laboratory and say what came of it."""
    subject = _person(request, pk)
    try:
        subject = verb(subject, request.user)
    except people.Refused as error:
        messages.error(request, str(error))
    else:
        role = subject.get_role_display().lower()
        messages.success(request, success.format(name=subject.name, role=role))
    return redirect("user-detail", pk)


def _issued(request: Request, issued: IssuedInvitation) -> HttpResponse:
    """Mail the link and show it this once: only its digest is kept."""
    link = request.build_absolute_uri(reverse("invitation-accept", args=[issued.secret]))
    context = {
        "section": "people",
        "invitation": issued.invitation,
        "link": link,
        "mailed": letters.send_invitation(issued.invitation, link),
    }
    return render(request, "accounts/invitation_issued.html", context)
