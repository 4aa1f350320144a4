"""The administrator's page on which the identity of a patient is erased on request (R21)."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from cases import audit, permissions, workflow
from cases.forms import EraseForm
from cases.views.found import REFUSALS, find_case, frame, reader


@require_http_methods(["GET", "POST"])
@login_required
def case_erase_identity(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """What is destroyed and what stays, and a form that asks twice."""
    case = find_case(request, case_id)
    if not permissions.can_erase_identity(reader(request), case):
        raise PermissionDenied("Only administrators erase who a patient is.")
    form = EraseForm(request.POST or None)
    if form.is_valid():
        try:
            workflow.erase_identity(case, reader(request), **form.cleaned_data)
        except REFUSALS as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Who patient {case.patient} is, is erased.")
            return redirect("case-trail", case.pk)
    context = frame(request, case) | {
        "here": "erase",
        "form": form,
        "cases": case.patient.cases.order_by("accessioned_at", "pk"),
        "is_erased": audit.identity_is_erased(case.patient),
    }
    return render(request, "cases/erase_identity.html", context)
