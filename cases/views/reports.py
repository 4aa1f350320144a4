"""The signed report, each of its versions, and the forms that make the next one (R12)."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.authentication import Reauthentication, WrongPassword, asked, reauthenticate
from cases import bethesda, keys, permissions, signature, workflow
from cases.forms import AddendForm, AmendForm, ChangeForm, CorrectForm
from cases.models import Case, ReaderPreferences, Report
from cases.signed import SignedContent, signed_content
from cases.views.found import REFUSALS, find_case, following, frame, reader


@require_safe
@login_required
def case_report(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """The report that is in force, read from the text that was signed, and whether it matches."""
    case = find_case(request, case_id)
    return _report(request, case, _current(case))


@require_safe
@login_required
def case_report_version(request: HttpRequest, case_id: UUID, version: int) -> HttpResponse:
    """One version of the report; an earlier one says across every page what superseded it."""
    case = find_case(request, case_id)
    return _report(request, case, get_object_or_404(case.reports, version=version))


def _current(case: Case) -> Report:
    return get_object_or_404(case.reports.current())


def _report(request: HttpRequest, case: Case, report: Report) -> HttpResponse:
    versions = list(case.reports.select_related("signed_by"))
    current = versions[-1]
    user = reader(request)
    is_their_own = report == current and report.signed_by_id == user.pk
    key = keys.key_of("next", ReaderPreferences.of(user).keys)
    context = frame(request, case) | {
        "after": following(user, case) if is_their_own else None,
        "next_key": keys.shown(key),
        "keymap": {key: "next"},
        "here": "report",
        "report": report,
        "versions": versions if current.version > 1 else [],
        "superseded_by": current if current.version > report.version else None,
        "matches": signature.matches(report),
        "signed": signed_content(report, case),
        "may_change": permissions.can_change_report(user, case)
        and report == current
        and signature.matches(report),
    }
    return render(request, "cases/report.html", context)


@require_http_methods(["GET", "POST"])
@login_required
def case_addend(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Add information to the released report."""
    case = find_case(request, case_id)
    report, _ = _changeable(request, case)
    form = AddendForm(request.POST or None, initial={"supersedes": report.version})

    def addend(proof: Reauthentication) -> None:
        text = form.cleaned_data["text"]
        workflow.addend(case, reader(request), form.change(), text, proof)

    return _change(request, case, form, addend, Report.Kind.ADDENDUM)


@require_http_methods(["GET", "POST"])
@login_required
def case_amend(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Change the result of the released report, or findings of its cells."""
    case = find_case(request, case_id)
    report, signed = _changeable(request, case)
    initial = signed.read.to_json() | {"supersedes": report.version}
    cells = [(cell.image.pk, cell.said) for cell in signed.cells if cell.image]
    form = AmendForm(request.POST or None, cells, initial=initial)

    def amend(proof: Reauthentication) -> None:
        said, cells = form.read(), form.decisions()
        workflow.amend(case, reader(request), form.change(), said, proof, cells=cells)

    return _change(request, case, form, amend, Report.Kind.AMENDMENT)


@require_http_methods(["GET", "POST"])
@login_required
def case_correct(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Mend a clerical error in the released report."""
    case = find_case(request, case_id)
    report, signed = _changeable(request, case)
    initial = {
        "supersedes": report.version,
        "record_number": signed.text["patient"],
        "specimen_type": signed.text["specimen_type"],
        "collected_on": signed.collected_on,
        "comment": signed.read.comment,
    }
    form = CorrectForm(request.POST or None, initial=initial)

    def correct(proof: Reauthentication) -> None:
        workflow.correct(case, reader(request), form.change(), form.correction(), proof)

    return _change(request, case, form, correct, Report.Kind.CORRECTION)


def _changeable(request: HttpRequest, case: Case) -> tuple[Report, SignedContent]:
    """The report in force and what it says, where this person may make the next version of it."""
    report = _current(case)
    if not permissions.can_change_report(reader(request), case):
        raise PermissionDenied("Only pathologists change a released report.")
    signed = signed_content(report, case)
    if signed is None:
        raise Http404("The report can no longer be read: no version is made from it.")
    return report, signed


def _change(
    request: HttpRequest,
    case: Case,
    form: ChangeForm,
    verb: Callable[[Reauthentication], None],
    kind: Report.Kind,
) -> HttpResponse:
    """Show the form or call the verb; a refusal keeps everything but the password."""
    if request.method == "POST" and form.is_valid():
        try:
            verb(reauthenticate(request, **form.given()))
        except WrongPassword as error:
            form.add_error(error.field, str(error))
        except ValidationError as error:
            form.add_error(None, error.messages)
        except (bethesda.InvalidRead, *REFUSALS) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"The {kind.label.lower()} is issued.")
            return redirect("case-report", case.pk)
        if _came_twice(request, case, form, kind):
            return redirect("case-report", case.pk)
    context = frame(request, case) | {
        "here": "report",
        "form": form,
        "kind": kind,
        "asked": asked(request),
        "meaning": signature.MEANINGS[kind],
        "replaces": form["supersedes"].value(),
    }
    return render(request, "cases/report_change.html", context)


def _came_twice(request: HttpRequest, case: Case, form: ChangeForm, kind: Report.Kind) -> bool:
    """Whether this very change is the version in force: it was sent twice, and nothing is amiss."""
    report = _current(case)
    is_theirs = report.signed_by_id == reader(request).pk and report.kind == kind
    signed = signed_content(report, case) if is_theirs else None
    return signed is not None and form.is_said_by(signed.text)
