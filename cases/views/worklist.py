"""The worklist, and a case as its state lets a person see it."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from rest_framework.request import Request

from cases import bethesda, permissions, queries
from cases.models import Case
from cases.paging import CaseCursor
from cases.views.found import find_case, may, reader
from inference.labels import CellClass


@require_safe
@login_required
def worklist(request: HttpRequest) -> HttpResponse:
    """Counted tiles and the cases of one of them; `?search=` looks at every state."""
    user = reader(request)
    search = request.GET.get("search", "").strip()
    state = request.GET.get("state", "" if search else "open")
    cursor = CaseCursor()
    cases = cursor.paginate_queryset(queries.worklist(user, state, search), Request(request))
    context = {
        "section": "cases",
        "tiles": queries.tiles(user),
        "state": state,
        "search": search,
        "cases": cases,
        "previous": cursor.get_previous_link(),
        "next": cursor.get_next_link(),
        "can_accession": permissions.can_accession(user),
        "can_claim": permissions.can_review(user),
    }
    return render(request, "cases/worklist.html", context)


@require_safe
@login_required
def case_detail(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """A draft to fill, a classification to watch, or a gallery to read."""
    case = find_case(request, case_id)
    context = frame(request, case)
    if case.status == Case.Status.DRAFT:
        return render(request, "cases/draft.html", context | {"images": case.images.all()})
    if case.status in (Case.Status.QUEUED, Case.Status.CLASSIFYING, Case.Status.FAILED):
        return _classification(request, case, context)
    cells = queries.gallery(case)
    context |= {
        "cells": cells,
        "cell_classes": list(CellClass),
        "decided": sum(cell.finding is not None for cell in cells),
        "excluded": sum(bool(cell.finding and cell.finding.exclusion) for cell in cells),
    }
    return render(request, "cases/gallery.html", context)


def _classification(request: HttpRequest, case: Case, context: dict[str, object]) -> HttpResponse:
    """The progress of a run. The page polls the part and is told to reload once there is more."""
    context |= {
        "progress": queries.progress(case),
        "run": case.runs.order_by("-queued_at").first(),
    }
    part = "#progress" if request.htmx else ""
    return render(request, f"cases/classification.html{part}", context)


def frame(request: HttpRequest, case: Case) -> dict[str, object]:
    """What every page of a case shows around its subject."""
    user = reader(request)
    return {
        "section": "cases",
        "case": case,
        "may": may(user, case),
        "sees_identity": permissions.can_see_patient_identity(user),
        "specimen": bethesda.SpecimenType(case.specimen_type).label,
    }


@require_safe
@login_required
def case_trail(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Everything that happened to the case, oldest first."""
    case = find_case(request, case_id)
    events = case.events.select_related("actor").order_by("pk")
    return render(request, "cases/trail.html", frame(request, case) | {"events": events})
