"""Pages of a read before a signature: commit one's own, conclude, refer, sign a negative out."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.authentication import WrongPassword, asked, reauthenticate
from accounts.forms import CredentialsForm
from cases import bethesda, queries, reading, signature, workflow
from cases.forms import ConcludeForm, ReadForm
from cases.models import Case, Review
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


@require_http_methods(["GET", "POST"])
@login_required
def case_read(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Commit one's own read; after a blind one, say what one stands by."""
    case = find_case(request, case_id)
    user = reader(request)
    verbs = may(user, case)
    if not {"commit", "conclude"} & verbs and not comes_too_late(request, case):
        raise PermissionDenied("Only who holds the case commits a read of it, and only once.")
    review = queries.latest_read(case, user)
    form = _form(request, review, concludes="conclude" in verbs)
    if request.method == "POST" and form.is_valid():
        try:
            if isinstance(form, ConcludeForm):
                reason = form.cleaned_data["change_reason"]
                case = workflow.conclude(case, user, form.read(), reason)
            else:
                case = workflow.commit(case, user, form.read())
        except bethesda.InvalidRead as error:
            form.add_error(None, str(error))
        except (PermissionDenied, *REFUSALS) as error:
            if _came_twice(form, queries.latest_read(case, user)):
                return redirect("case-detail", case.pk)
            form.add_error(None, str(error))
        else:
            _tell(request, case)
            return redirect("case-detail", case.pk)
    context = frame(request, case)
    cells = queries.gallery(case, context["seen"])
    context |= {
        "form": form,
        "concludes": isinstance(form, ConcludeForm),
        "review": review,
        "counts": reading.by_class(cells),
        "tally": reading.tally(cells),
        "undecided": reading.undecided(cells),
        "unseen": reading.unseen(cells),
    }
    return render(request, "cases/read.html", context)


def _form(request: HttpRequest, review: Review, *, concludes: bool) -> ReadForm:
    """The next step's form; what is sent says itself which it is, for the step may be done since.

    A read to be committed that comes twice would else be concluded, unseen the model's output.
    """
    if "change_reason" in request.POST or (concludes and request.method != "POST"):
        return ConcludeForm(request.POST or None, initial=review.committed_read or {})
    return ReadForm(request.POST or None)


def _came_twice(form: ReadForm, review: Review) -> bool:
    """Whether this very read was kept already: it was sent twice, and nothing is amiss."""
    kept = review.read if isinstance(form, ConcludeForm) else review.committed_read
    return kept == form.read().to_json()


def _tell(request: HttpRequest, case: Case) -> None:
    """Say what became of the case, and by which rule."""
    review = queries.latest_read(case, reader(request))
    if review.outcome:
        messages.success(request, f"Your read is committed. {review.why}")
    else:
        messages.success(
            request,
            "Your read is committed. From here on you see what the model says; "
            "what you change now asks for a reason.",
        )


@require_POST
@login_required
def case_refer(request: HttpRequest, case_id: UUID) -> HttpResponse:
    case = find_case(request, case_id)
    if attempt(request, lambda: workflow.refer(case, reader(request))):
        messages.success(request, f"{case} waits for a pathologist.")
    return redirect("case-detail", case.pk)


@require_http_methods(["GET", "POST"])
@login_required
def case_sign_out(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """The committed read once more, and the password that releases it."""
    case = find_case(request, case_id)
    if case.status == Case.Status.SIGNED:
        return redirect("case-report", case.pk)
    if "sign_out" not in may(reader(request), case):
        raise PermissionDenied("Only who screened the case may sign it out.")
    form = CredentialsForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            proof = reauthenticate(request, **form.given())
            workflow.sign_out(case, reader(request), proof)
        except WrongPassword as error:
            form.add_error(error.field, str(error))
        except REFUSALS as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{case} is signed.")
            return redirect("case-report", case.pk)
        if has_signed(request, case):
            return redirect("case-report", case.pk)
    review = queries.latest_read(case, reader(request))
    context = frame(request, case) | {
        "form": form,
        "review": review,
        "lines": bethesda.describe(bethesda.Read.from_json(review.read or {})),
        "asked": asked(request),
        "meaning": signature.MEANING,
    }
    return render(request, "cases/sign_out.html", context)
