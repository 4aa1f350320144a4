"""The PDF of a version, and the page that verifies one on paper."""

from http import HTTPStatus
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from cases import audit
from cases.views.found import find_case, frame, reader
from reports import pdf, printed, verification


@never_cache
@require_safe
@login_required
def report_pdf(request: HttpRequest, case_id: UUID, version: int) -> HttpResponse:
    """A version as PDF; one that no longer says what was signed is refused, and says so."""
    case = find_case(request, case_id)
    report = get_object_or_404(case.reports, version=version)
    try:
        sheet = printed.sheet(request, case, report, reader(request))
    except printed.NotValid:
        context = frame(request, case) | {"report": report, "here": "report"}
        return render(request, "reports/refused.html", context, status=HTTPStatus.CONFLICT)
    content = pdf.render(sheet)
    audit.record(
        case,
        reader(request),
        "export",
        form="PDF",
        version=version,
        identified=sheet.is_identified,
    )
    name = printed.file_name(case, report)
    headers = {
        "Content-Disposition": content_disposition_header(as_attachment=False, filename=name)
    }
    return HttpResponse(content, content_type="application/pdf", headers=headers)


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
