"""A version of a report printed for a person: the same sheet for a page, a program and FHIR."""

import logging
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from accounts.models import User
from cases import permissions, signature
from cases.models import Case, Report
from cases.signed import SignedContent, signed_content
from reports import pdf

logger = logging.getLogger(__name__)


class NotValid(Exception):
    """The report no longer says what was signed: nothing is made of it; the message says so."""

    def __init__(self, report: Report) -> None:
        version = report.version
        super().__init__(
            f"Version {version} of this report is not valid: its content does not match "
            "the digest that was signed. Nothing was exported; tell your laboratory."
        )
        logger.error(
            "Report %s version %s does not match its digest", report.case_id, report.version
        )


def sheet(request: HttpRequest, case: Case, report: Report, user: User) -> pdf.Sheet:
    """What the paper says. Raises `NotValid` where the report is not what was signed."""
    signed = signed_content(report, case)
    if signed is None or not signature.matches(report):
        raise NotValid(report)
    current = case.reports.current().get()
    return pdf.Sheet(
        report=report,
        signed=signed,
        identity=_identity(case, signed, user),
        superseded_by=current if current.version > report.version else None,
        verify_at=verify_at(request, case, report),
    )


def file_name(case: Case, report: Report) -> str:
    return f"{case.accession_number} v{report.version}.pdf"


def _identity(case: Case, signed: SignedContent, user: User) -> pdf.Identity:
    """The patient's name for those who may see it (R21); an administrator prints the pseudonym.

    A version that a correction took to another patient stays without: the laboratory's records
    name the patient of the case as it is now.
    """
    is_theirs = signed.text["patient"] == case.patient.record_number
    if not (is_theirs and permissions.can_see_patient_identity(user)):
        return pdf.Identity()
    return pdf.Identity(name=case.patient.name, birth_date=case.patient.birth_date)


def verify_at(request: HttpRequest, case: Case, report: Report) -> str:
    """The address in the QR code: the page that verifies this very version."""
    asked = urlencode({"accession": case.accession_number, "digest": report.digest})
    return f"{request.build_absolute_uri(reverse('report-verify'))}?{asked}"
