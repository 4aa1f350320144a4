"""Look-backs and histology: what is looked into after the signature, and its lists."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from cases import permissions, quality, wording, workflow
from cases.correlation import Agreement
from cases.forms import HistologyForm, LookBackForm
from cases.models import Case
from cases.views.found import REFUSALS, find_case, frame, reader

PER_PAGE = 50


@require_safe
@login_required
def look_backs(request: HttpRequest) -> HttpResponse:
    """The earlier cases to be read again, with what came of it (R7)."""
    tasks = quality.look_backs(reader(request))
    state = request.GET.get("state", "open")
    state = state if state in quality.LOOK_BACKS else "open"
    tiles = [
        (key, label, tasks.filter(which).count())
        for key, (label, which) in quality.LOOK_BACKS.items()
    ]
    shown = tasks.filter(quality.LOOK_BACKS[state][1]).order_by("opened_at", "pk")
    context = {
        "section": "cases",
        "tiles": tiles,
        "state": state,
        "page": Paginator(shown, PER_PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "cases/look_backs.html", context)


@require_http_methods(["GET", "POST"])
@login_required
def look_back(request: HttpRequest, task_id: int) -> HttpResponse:
    """One look-back: the earlier case, what asks for it, and the answer."""
    user = reader(request)
    task = get_object_or_404(quality.look_backs(user), pk=task_id)
    may_answer = permissions.can_look_back(user, task.case) and not task.done_at
    if request.method == "POST" and not permissions.can_look_back(user, task.case):
        raise PermissionDenied("Only pathologists look back at a case.")
    form = LookBackForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            workflow.look_back(task, user, form.look_back())
        except REFUSALS as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"The look-back at {task.case} is answered.")
            return redirect("look-back", task.pk)
    context = {
        "section": "cases",
        "task": task,
        "form": form,
        "may_answer": may_answer,
        "result": _result(task.case),
        "trigger_result": _result(task.trigger),
    }
    return render(request, "cases/look_back.html", context)


def _result(case: Case) -> str:
    report = case.reports.current().first()
    return wording.result(report.read) if report else "not signed"


@require_safe
@login_required
def histologies(request: HttpRequest) -> HttpResponse:
    """Every result of histology beside the cytology it belongs to (R8); `?agreement=` filters."""
    found = quality.histologies(reader(request))
    asked = request.GET.get("agreement", "")
    tiles = [("", "All", found.count())]
    tiles += [
        (value, label, found.filter(agreement=value).count()) for value, label in Agreement.choices
    ]
    shown = found.filter(agreement=asked) if asked in Agreement.values else found
    context = {
        "section": "cases",
        "tiles": tiles,
        "agreement": asked,
        "page": Paginator(shown, PER_PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "cases/histologies.html", context)


@require_http_methods(["GET", "POST"])
@login_required
def case_histology(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Record what the tissue showed, beside what the report says."""
    case = find_case(request, case_id)
    if not permissions.can_record_histology(reader(request), case):
        raise PermissionDenied("Only pathologists record histology.")
    form = HistologyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = workflow.record_histology(case, reader(request), form.tissue())
        except REFUSALS as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Recorded. {made.get_agreement_display()}.")
            return redirect("case-detail", case.pk)
    context = frame(request, case) | {"form": form, "result": _result(case)}
    return render(request, "cases/histology.html", context)
