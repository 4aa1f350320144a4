"""The administrator's pages: how the laboratory reads, and whether its records are whole."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import events
from accounts.administration import administrator_required
from accounts.requests import Request
from cases import integrity, queue
from cases.forms import ReadingForm
from cases.models import ReadingSettings
from cases.settings import change_reading

CHECKS_PER_PAGE = 30


@administrator_required
@require_http_methods(["GET", "POST"])
def reading_settings(request: Request) -> HttpResponse:
    laboratory = request.user.laboratory
    form = ReadingForm(request.POST or None, instance=ReadingSettings.of(laboratory))
    if form.is_valid():
        change_reading(laboratory, request.user, form.wanted())
        messages.success(request, "The settings are saved.")
        return redirect("reading-settings")
    return render(request, "cases/reading_settings.html", {"form": form})


@administrator_required
@require_safe
def records(request: Request) -> HttpResponse:
    """What the latest check found, and what the ones before it did."""
    checks = integrity.checks(request.user.laboratory)
    page = Paginator(checks, CHECKS_PER_PAGE).get_page(request.GET.get("page"))
    last = checks.first()
    context = {
        "page": page,
        "events": events.told(page.object_list),
        "last": last,
        "unnamed": last.detail["broken"] - len(last.detail["breaks"]) if last else 0,
        "alarm": integrity.alarm(request.user.laboratory),
    }
    return render(request, "cases/records.html", context)


@administrator_required
@require_POST
def records_check(request: Request) -> HttpResponse:
    if queue.check_records(request.user.laboratory):
        messages.success(request, "The check is under way. Load this page again to see its result.")
    else:
        messages.error(request, "No worker could be asked: the broker is away. Try again soon.")
    return redirect("records")
