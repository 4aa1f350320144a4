"""Who read what (R11), and how much a person may read (R9)."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from cases import permissions, who_reads, wording, workload
from cases.forms import WorkloadForm
from cases.models import Review
from cases.views.found import reader

PER_PAGE = 50


@require_safe
@login_required
def readers(request: HttpRequest) -> HttpResponse:
    """The people who read, with the limit of each, for who answers for the laboratory."""
    user = reader(request)
    if not permissions.can_see_everybodys_reads(user):
        raise PermissionDenied("Pathologists and administrators see everybody's reads.")
    rows = workload.of_each(who_reads.readers(user))
    return render(request, "cases/readers.html", {"section": "cases", "rows": rows})


@require_safe
@login_required
def reads(request: HttpRequest, person_id: int) -> HttpResponse:
    return _page(request, _person(request, person_id), None)


@require_POST
@login_required
def reads_workload(request: HttpRequest, person_id: int) -> HttpResponse:
    """Set how much somebody may read; what cannot be is said beside what was typed."""
    person = _person(request, person_id)
    if not permissions.can_set_workload(reader(request), person):
        raise PermissionDenied("Only pathologists set how much a person reads.")
    form = WorkloadForm(request.POST)
    if form.is_valid():
        try:
            workload.set_limit(person, reader(request), **form.cleaned_data)
        except workload.InvalidLimit as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"The limit of {person.name} is set.")
            return redirect("reads", person.pk)
    return _page(request, person, form)


def _person(request: HttpRequest, person_id: int) -> User:
    user = reader(request)
    person = get_object_or_404(User, laboratory=user.laboratory_id, pk=person_id)
    if not permissions.can_see_reads(user, person):
        raise PermissionDenied("You see what you read yourself.")
    return person


def _page(request: HttpRequest, person: User, form: WorkloadForm | None) -> HttpResponse:
    user = reader(request)
    own = workload.of(person)
    page = Paginator(who_reads.reads_of(person, user), PER_PAGE).get_page(request.GET.get("page"))
    initial = {"hours": own.limit.hours, "slides": own.limit.slides} if own.limit else None
    context = {
        "section": "cases",
        "person": person,
        "page": page,
        "rows": [(one, _result(one, user)) for one in page],
        "workload": own,
        "ceiling": workload.CEILING,
        "form": form or WorkloadForm(initial=initial),
        "may_set": permissions.can_set_workload(user, person),
        "may_see_others": permissions.can_see_everybodys_reads(user),
    }
    return render(request, "cases/reads.html", context)


def _result(read: Review, user: User) -> str:
    if read.read is None and read.committed_read is None:
        return "under way" if read.ended_at is None else "without a result"
    said = who_reads.told_result(read, user)
    if said is None:
        return "shown once nobody can come to read the case blind"
    return wording.result(said)
