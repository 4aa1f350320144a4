"""The PDF of a version, and the page that verifies one on paper."""

import logging
from http import HTTPStatus
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from cases import audit, permissions, signature
from cases.models import Case, Report
from cases.signed import signed_content
from cases.views.found import find_case, frame, reader
from reports import pdf, verification

logger = logging.getLogger(__name__)


@never_cache
@require_safe
@login_required
def report_pdf(request: HttpRequest, case_id: UUID, version: int) -> HttpResponse:
    """A version as PDF; one that no longer says what was signed is refused, and says so."""
    case = find_case(request, case_id)
    report = get_object_or_404(case.reports, version=version)
    signed = signed_content(report, case)
    if signed is None or not signature.matches(report):
        logger.error("Report %s version %s does not match its digest", case.pk, version)
        context = frame(request, case) | {"report": report, "here": "report"}
        return render(request, "reports/refused.html", context, status=HTTPStatus.CONFLICT)
    current = case.reports.current().get()
    sheet = pdf.Sheet(
        report=report,
        signed=signed,
        identity=_identity(case, reader(request)),
        superseded_by=current if current.version > report.version else None,
        verify_at=_verify_at(request, report),
    )
    content = pdf.render(sheet)
    audit.record(
        case,
        reader(request),
        "export",
        form="PDF",
        version=version,
        identified=sheet.identity != pdf.Identity(),
    )
    name = f"{case.accession_number} v{version}.pdf"
    headers = {
        "Content-Disposition": content_disposition_header(as_attachment=False, filename=name)
    }
    return HttpResponse(content, content_type="application/pdf", headers=headers)


def _identity(case: Case, user: User) -> pdf.Identity:
    """The patient's name for those who may see it (R21); an administrator prints the pseudonym."""
    if not permissions.can_see_patient_identity(user):
        return pdf.Identity()
    return pdf.Identity(name=case.patient.name, birth_date=case.patient.birth_date)


def _verify_at(request: HttpRequest, report: Report) -> str:
    asked = urlencode({"accession": report.case.accession_number, "digest": report.digest})
    return f"{request.build_absolute_uri(reverse('report-verify'))}?{asked}"


@never_cache
@require_safe
def report_verify(request: HttpRequest) -> HttpResponse:
    """Valid, superseded, altered or unknown: for everybody, without a word about the patient."""
    accession_number = request.GET.get("accession", "").replace("\0", "")
    digest = request.GET.get("digest", "").replace("\0", "")
    visitor = request.user if isinstance(request.user, User) else None
    asked = bool(accession_number and digest)
    context = {
        "accession_number": accession_number,
        "digest": digest,
        "verdict": verification.verify(accession_number, digest, visitor) if asked else None,
    }
    answer = render(request, "reports/verify.html", context)
    answer["X-Robots-Tag"] = "noindex"
    return answer
