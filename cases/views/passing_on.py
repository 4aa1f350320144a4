"""The page on which a holder passes a case on: to a colleague, or back for rework."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from cases import permissions, queries, workflow
from cases.forms import HandOverForm, SendBackForm
from cases.models import Case
from cases.views.found import REFUSALS, comes_too_late, find_case, frame, reader


@require_safe
@login_required
def case_pass_on(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Both ways out of one's hands, each with its words."""
    return _page(request, _case_in_hand(request, case_id))


@require_POST
@login_required
def case_hand_over(request: HttpRequest, case_id: UUID) -> HttpResponse:
    case = _case_in_hand(request, case_id)
    form = HandOverForm(queries.colleagues(reader(request), case), request.POST)
    if form.is_valid():
        to, comment = form.cleaned_data["to"], form.cleaned_data["comment"]
        try:
            workflow.hand_over(case, reader(request), to, comment)
        except (PermissionDenied, *REFUSALS) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{case} is with {to.name} now.")
            return redirect("worklist")
    return _page(request, case, hand_over=form)


@require_POST
@login_required
def case_send_back(request: HttpRequest, case_id: UUID) -> HttpResponse:
    case = _case_in_hand(request, case_id)
    form = SendBackForm(_screeners(request, case), request.POST)
    if form.is_valid():
        screener = form.cleaned_data.get("screener")
        try:
            workflow.send_back(case, reader(request), form.cleaned_data["comment"], screener)
        except (PermissionDenied, *REFUSALS) as error:
            form.add_error(None, str(error))
        else:
            to = screener or case.accessioned_by
            messages.success(request, f"{case} is back with {to.name}.")
            return redirect("worklist")
    return _page(request, case, send_back=form)


def _case_in_hand(request: HttpRequest, case_id: UUID) -> Case:
    """The case of who holds it; who held it before is told so beside what they typed."""
    case = find_case(request, case_id)
    user = reader(request)
    holds = case.holder == user and permissions.can_decide(user, case)
    if not holds and not comes_too_late(request, case):
        raise PermissionDenied("Only who holds the case may pass it on.")
    return case


def _screeners(request: HttpRequest, case: Case) -> QuerySet[User]:
    """Whom a pathologist can ask to screen the case again."""
    people = queries.screeners(case)
    return people if permissions.can_review(reader(request)) else people.none()


def _page(
    request: HttpRequest, case: Case, hand_over: Form | None = None, send_back: Form | None = None
) -> HttpResponse:
    colleagues = queries.colleagues(reader(request), case)
    context = frame(request, case) | {
        "here": "pass-on",
        "hand_over": hand_over or HandOverForm(colleagues),
        "send_back": send_back or SendBackForm(_screeners(request, case)),
        "screened": queries.first_read(case),
        "colleagues": colleagues,
    }
    return render(request, "cases/pass_on.html", context)
