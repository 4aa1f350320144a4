"""The dashboard: the numbers of the user's laboratory over a period."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import User
from dashboards import charts, statistics
from dashboards.period import Period
from inference.labels import CellClass


@require_safe
@login_required
def dashboard(request: HttpRequest) -> HttpResponse:
    """Tiles, charts and their tables; `?period=` is a value of `Period`."""
    user = cast("User", request.user)
    period = Period.asked_for(request.GET.get("period"))
    scope = statistics.Scope.of(user, period)
    context: dict[str, object] = {"periods": Period, "period": period, "scope": scope}
    context |= {"cell_classes": list(CellClass)} | _counted(scope)
    return render(request, "dashboards/dashboard.html", context)


def _counted(scope: statistics.Scope) -> dict[str, object]:
    """Every row of the page, and the figures that are drawn from them."""
    overview = statistics.overview(scope)
    cells = statistics.cells(scope)
    weeks = statistics.turnaround(scope)
    targets = statistics.targets(scope.user.laboratory)
    agreement = statistics.agreement(scope)
    results = statistics.interpretations(scope)
    changes = statistics.report_changes(scope)
    return {
        "overview": overview,
        "cells": cells,
        "weeks": weeks,
        "targets": targets,
        "agreement": agreement,
        "results": results,
        "changes": changes,
        "states_figure": charts.states(overview.states),
        "cells_figure": charts.cells(cells.classes, cells.abstained),
        "turnaround_figure": charts.turnaround(weeks, targets),
        "agreement_figure": charts.agreement(agreement),
        "results_figure": charts.interpretations(results),
        "changes_figure": charts.report_changes(changes.months),
    }
