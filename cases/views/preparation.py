"""The cytotechnologist's pages: accession, upload, submission, retry."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from cases import permissions, queries, uploads, wording, workflow
from cases.forms import AccessionForm, initial_of
from cases.models import CellImage
from cases.views.found import attempt, find_case, frame, may, reader


@require_http_methods(["GET", "POST"])
@login_required
def case_new(request: HttpRequest) -> HttpResponse:
    """Register a specimen; the next page takes its images."""
    user = reader(request)
    if not permissions.can_accession(user):
        raise PermissionDenied("Only cytotechnologists accession cases.")
    suggestion = workflow.suggest_accession_number(user.laboratory)
    form = AccessionForm(request.POST or None, initial={"accession_number": suggestion})
    if request.method == "POST" and form.is_valid():
        try:
            case = workflow.accession(user, form.accession())
        except ValidationError as error:
            form.refuse(error)
        else:
            return redirect("case-detail", case.pk)
    context = {"section": "cases", "form": form, "suggestion": suggestion}
    return render(request, "cases/accession.html", context)


@require_http_methods(["GET", "POST"])
@login_required
def case_revise(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Mend what was said at accession, while the case is a draft."""
    case = find_case(request, case_id)
    if "prepare" not in may(reader(request), case):
        raise PermissionDenied("Only a draft can be revised, by who accessioned it.")
    form = AccessionForm(request.POST or None, initial=initial_of(case))
    if request.method == "POST" and form.is_valid():
        try:
            if attempt(request, lambda: workflow.revise(case, reader(request), form.accession())):
                messages.success(request, "The case was revised.")
            return redirect("case-detail", case.pk)
        except ValidationError as error:
            form.refuse(error)
    context = frame(request, case) | {"here": "revise", "form": form}
    return render(request, "cases/accession.html", context)


@require_POST
@login_required
def case_upload(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Take files from the form, for browsers without JavaScript; the page's script uses the API."""
    case = find_case(request, case_id)
    files = request.FILES.getlist("file")
    fates: list[uploads.Fate] = []
    if attempt(request, lambda: fates.extend(uploads.take(case, reader(request), files))) or fates:
        _tell(request, fates)
    return redirect("case-detail", case.pk)


SHOWN_NAMES = 20  # of the files that share a fate; more would bury the page


def _tell(request: HttpRequest, fates: list[uploads.Fate]) -> None:
    """Say what became of the files: how many were stored, and for each reason which were not."""
    if not fates:
        messages.info(request, "No file was chosen, so nothing was uploaded.")
    stored = sum(fate.fate == uploads.STORED for fate in fates)
    if stored:
        messages.success(request, f"{wording.count(stored, 'image')} stored.")
    by_reason: dict[str, list[str]] = {}
    for fate in fates:
        if fate.fate == uploads.KNOWN:
            by_reason.setdefault("Already in this case.", []).append(fate.name)
        elif fate.fate == uploads.REFUSED:
            by_reason.setdefault(fate.reason, []).append(fate.name)
    for reason, names in by_reason.items():
        more = len(names) - SHOWN_NAMES
        listed = ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
        messages.warning(request, f"{listed}: {reason}")


@require_POST
@login_required
def image_remove(request: HttpRequest, case_id: UUID, image_id: UUID) -> HttpResponse:
    case = find_case(request, case_id)
    image = get_object_or_404(CellImage, case=case, pk=image_id)
    attempt(request, lambda: workflow.remove_image(case, reader(request), image.pk))
    return redirect("case-detail", case.pk)


@require_POST
@login_required
def case_submit(request: HttpRequest, case_id: UUID) -> HttpResponse:
    case = find_case(request, case_id)
    attempt(
        request,
        lambda: workflow.submit(case, reader(request), queries.answering_model(case.laboratory)),
    )
    return redirect("case-detail", case.pk)


@require_POST
@login_required
def case_reclassify(request: HttpRequest, case_id: UUID) -> HttpResponse:
    case = find_case(request, case_id)
    attempt(
        request,
        lambda: workflow.reclassify(
            case, reader(request), queries.answering_model(case.laboratory)
        ),
    )
    return redirect("case-detail", case.pk)


@require_POST
@login_required
def case_retry(request: HttpRequest, case_id: UUID) -> HttpResponse:
    case = find_case(request, case_id)
    attempt(
        request,
        lambda: workflow.retry(case, reader(request), queries.answering_model(case.laboratory)),
    )
    return redirect("case-detail", case.pk)
