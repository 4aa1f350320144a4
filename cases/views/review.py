"""The pathologist's pages: claim, decide on cells, sign."""

from collections.abc import Sequence
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.authentication import WrongPassword, asked, reauthenticate
from cases import bethesda, permissions, queries, reading, signature, workflow
from cases.forms import SignForm
from cases.models import ABNORMAL_CLASSES, Case, CellImage
from cases.views.found import (
    REFUSALS,
    attempt,
    comes_too_late,
    find_case,
    frame,
    has_signed,
    may,
    reader,
)


@require_POST
@login_required
def case_claim(request: HttpRequest, case_id: UUID) -> HttpResponse:
    case = find_case(request, case_id)
    attempt(request, lambda: workflow.claim(case, reader(request)))
    return redirect("case-detail", case.pk)


@require_POST
@login_required
def case_release(request: HttpRequest, case_id: UUID) -> HttpResponse:
    case = find_case(request, case_id)
    attempt(request, lambda: workflow.release(case, reader(request)))
    return redirect("worklist")


@require_POST
@login_required
def case_decide(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Keep one finding from a form, for browsers without JavaScript; the scripts use the API."""
    case = find_case(request, case_id)
    image = get_object_or_404(CellImage, case=case, pk=_uuid(request.POST.get("image")))
    decision = workflow.Decision(
        image_id=image.pk,
        cell_class=request.POST.get("cell_class", ""),
        exclusion=request.POST.get("exclusion", ""),
        replaces=_uuid(request.POST.get("replaces")),
    )

    def keep() -> None:
        workflow.decide(case, reader(request), [decision])
        workflow.display(case, reader(request), [image.pk])  # the form stands beside its picture

    attempt(request, keep)
    return redirect("cell", case.pk, image.pk)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise Http404 from error


@require_http_methods(["GET", "POST"])
@login_required
def case_sign(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Adequacy, interpretation, the password; a refusal keeps everything that was typed."""
    case = find_case(request, case_id)
    if case.status == Case.Status.SIGNED:
        return redirect("case-report", case.pk)
    user = reader(request)
    verbs = may(user, case)
    held_it = permissions.can_review(user) and comes_too_late(request, case)
    if "decide" not in verbs and not held_it:
        raise PermissionDenied("Only the pathologist who claimed the case may sign it.")
    if "commit" in verbs:
        return redirect("case-read", case.pk)
    context = frame(request, case)
    cells = queries.gallery(case, context["seen"])
    committed = queries.committed_by(case, user)
    form = SignForm(
        request.POST or None,
        [(cell.image.pk, cell.name) for cell in cells],
        initial=committed.committed_read if committed else {},
    )
    if request.method == "POST" and form.is_valid():
        try:
            proof = reauthenticate(request, **form.given())
            pictures = form.cleaned_data["pictures"]
            reason = form.cleaned_data["change_reason"]
            workflow.sign(case, user, form.read(), proof, pictures, reason=reason)
        except WrongPassword as error:
            form.add_error(error.field, str(error))
        except (bethesda.InvalidRead, PermissionDenied, *REFUSALS) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{case} is signed.")
            return redirect("case-report", case.pk)
        if has_signed(request, case):
            return redirect("case-report", case.pk)
    context |= {
        "form": form,
        "committed": committed,
        "pictured": _pictured(form, cells),
        "most_pictures": signature.MOST_PICTURES,
        "counts": reading.by_class(cells),
        "tally": reading.tally(cells),
        "abstained": reading.abstained(cells),
        "excluded": [cell for cell in cells if cell.finding and cell.finding.exclusion],
        "undecided": reading.undecided(cells),
        "unseen": reading.unseen(cells),
        "asked": asked(request),
        "meaning": signature.MEANING,
    }
    return render(request, "cases/sign.html", context)


def _pictured(form: SignForm, cells: Sequence[queries.Cell]) -> set[UUID]:
    """The images that the report would show: what was chosen, else the abnormal ones."""
    if form.is_bound and "pictures" in form.cleaned_data:
        return set(form.cleaned_data["pictures"])
    abnormal = [c for c in cells if c.finding and c.finding.cell_class in ABNORMAL_CLASSES]
    return {cell.image.pk for cell in abnormal[: signature.MOST_PICTURES]}
