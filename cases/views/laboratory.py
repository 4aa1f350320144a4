"""The administrator's page on how the laboratory reads."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.administration import administrator_required
from accounts.requests import Request
from cases.forms import ReadingForm
from cases.models import ReadingSettings
from cases.settings import change_reading


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
