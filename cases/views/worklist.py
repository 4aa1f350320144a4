"""The worklist, and a case as its state lets a person see it."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRefresh
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from accounts.permissions import can_manage_people
from cases import audit, intake, integrity, permissions, quality, queries, wording, workflow
from cases.models import Case
from cases.paging import CaseCursor
from cases.views.found import find_case, frame, may_claim, reader
from cases.views.gallery import gallery
from cases.worklist import listed, tiles


@require_safe
@login_required
def worklist(request: HttpRequest) -> HttpResponse:
    """Counted tiles and the cases of one of them; `?search=` looks at every state.

    `?priority=` leaves the others out of the list; the tiles count them all.
    """
    user = reader(request)
    workflow.expire_idle(Case.objects.visible_to(user))
    search = request.GET.get("search", "").replace("\0", "").strip()  # which no text holds
    state = request.GET.get("state", "" if search else "open")
    asked = request.GET.get("priority", "")
    priority = asked if asked in Case.Priority.values else ""
    cursor = CaseCursor()
    try:
        found = listed(user, state, search, priority)
        cases = cursor.paginate_queryset(found, Request(request))
    except NotFound as error:
        raise Http404("This page of the worklist is not there: begin at its first.") from error
    claimable = {case.pk for case in cases or () if may_claim(user, case)}

    def in_hand(case: Case) -> bool:
        return case.holder == user

    context = {
        "section": "cases",
        "tiles": tiles(user),
        "state": state,
        "search": search,
        "priority": priority,
        "priorities": Case.Priority.choices,
        "cases": cases,
        "previous": cursor.get_previous_link(),
        "next": cursor.get_next_link(),
        "can_accession": permissions.can_accession(user),
        "can_review": permissions.can_review(user),
        "claimable": claimable,
        "held": Case.HELD,
        "alarm": integrity.alarm(user.laboratory) if can_manage_people(user) else "",
        "reads_cases": permissions.can_review(user) or claimable or any(map(in_hand, cases or ())),
    }
    return render(request, "cases/worklist.html", context)


@require_safe
@login_required
def case_detail(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """A draft to fill, a classification to watch, or a gallery to read."""
    case = find_case(request, case_id)
    if _has_moved_on(request, case):
        return HttpResponseClientRefresh()
    if case.status == Case.Status.DRAFT:
        return _draft(request, case, frame(request, case))
    if case.status in (Case.Status.QUEUED, Case.Status.CLASSIFYING, Case.Status.FAILED):
        return _classification(request, case, frame(request, case))
    after = _after_signature(request, case) if case.status == Case.Status.SIGNED else {}
    return gallery(request, case, after)


def _after_signature(request: HttpRequest, case: Case) -> dict[str, object]:
    """Look-backs at this case and because of it, and what the tissue showed."""
    tasks = quality.look_backs(reader(request))
    return {
        "tasks": tasks.filter(case=case),
        "triggered": tasks.filter(trigger=case),
        "histologies": case.histologies.all(),
        "may_record_histology": permissions.can_record_histology(reader(request), case),
    }


def _has_moved_on(request: HttpRequest, case: Case) -> bool:
    """Whether a poll asks about a state that the case has left: the whole page is another then."""
    seen = request.GET.get("seen", case.status)
    return bool(getattr(request, "htmx", False)) and seen != case.status


def _draft(request: HttpRequest, case: Case, context: dict[str, Any]) -> HttpResponse:
    limits = intake.limits()
    context |= {
        "images": case.images.all(),
        "with_names": permissions.can_see_file_names(reader(request), case, context["seen"]),
        "limits": limits,
        "megabytes": limits.max_bytes / intake.MEGABYTE,
    }
    return render(request, "cases/draft.html", context)


def _classification(request: HttpRequest, case: Case, context: dict[str, Any]) -> HttpResponse:
    """The progress of a run. The page polls the part and is told to reload once there is more."""
    progress = queries.progress(case)
    context |= {
        "progress": progress,
        "settled": progress.answered + progress.failed,
        "run": queries.last_run(case),
    }
    part = "#progress" if getattr(request, "htmx", False) else ""
    return render(request, f"cases/classification.html{part}", context)


@require_safe
@login_required
def case_trail(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Everything that happened to the case, oldest first."""
    case = find_case(request, case_id)
    context = frame(request, case)
    seen = context["seen"]
    sees_views = permissions.can_see_views(reader(request), case)
    events = queries.as_shown(audit.trail(case, with_views=sees_views), seen)
    with_names = permissions.can_see_file_names(reader(request), case, seen)
    names = {str(image.pk): image.name if with_names else "an image" for image in case.images.all()}
    names |= {str(pk): name for pk, name in case.laboratory.users.values_list("pk", "name")}
    context |= {
        "here": "trail",
        "entries": wording.trail(events, names),
        "reads": wording.reads(queries.shown_reads(case, seen), seen),
        "sees_views": sees_views,
    }
    return render(request, "cases/trail.html", context)
