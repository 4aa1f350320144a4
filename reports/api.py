"""What leaves a laboratory over the API: a case as a FHIR document, a report as PDF."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from cases import audit, permissions, sight
from cases.api.answers import RefusalSerializer
from cases.api.errors import Conflict
from cases.api.views import FIELDS_REFUSED, OF_A_CASE, PrivateView
from cases.models import Case, Report
from reports import fhir, pdf, printed

NO_LONGER_VALID = {
    409: OpenApiResponse(RefusalSerializer, "The report no longer matches its digest.")
}


class ExportView(PrivateView):
    """What leaves the laboratory as a file is asked for by one case, and is an event (R18)."""

    def _case(self, case_id: UUID) -> Case:
        cases = Case.objects.visible_to(self.reader).select_related("laboratory", "patient")
        return get_object_or_404(cases, pk=case_id)

    def _sheet(self, case: Case, report: Report) -> pdf.Sheet:
        try:
            return printed.sheet(self.request, case, report, self.reader)
        except printed.NotValid as error:
            raise Conflict(str(error)) from error

    def _exported(self, case: Case, form: str, report: Report | None, *, identified: bool) -> None:
        told: dict[str, Any] = {"version": report.version} if report else {}
        audit.record(case, self.reader, "export", form=form, identified=identified, **told)


class FhirRenderer(JSONRenderer):
    media_type = "application/fhir+json"
    format = "fhir"


class FhirView(ExportView):
    """The document Bundle of a case."""

    renderer_classes = [FhirRenderer, JSONRenderer]

    @extend_schema(
        responses={
            (200, FhirRenderer.media_type): OpenApiResponse(
                {"type": "object", "additionalProperties": {}}, "A FHIR R4 Bundle."
            )
        }
        | OF_A_CASE
        | NO_LONGER_VALID
    )
    def get(self, request: Request, case_id: UUID) -> Response:  # noqa: ARG002 -- as in the base class
        """What was signed, or what is known so far, as a FHIR R4 document.

        The patient is named to those who may see who they are. A report that no longer says what
        was signed is refused.
        """
        case = self._case(case_id)
        report = case.reports.current().first()
        known = self._known(case, report)
        if permissions.can_see_patient_identity(self.reader):
            known = replace(
                known, patient_name=case.patient.name, birth_date=case.patient.birth_date
            )
        document = fhir.document(known)
        is_identified = bool(known.patient_name or known.birth_date)
        self._exported(case, "FHIR", report, identified=is_identified)
        return Response(document)

    def _known(self, case: Case, report: Report | None) -> fhir.Known:
        if report is None:
            return fhir.of_case(case, sight.of(self.reader, case))
        paper = fhir.Paper(printed.file_name(case, report), pdf.render(self._sheet(case, report)))
        return replace(fhir.of_report(report, case), paper=paper)


class PdfRenderer(BaseRenderer):
    """Lets a program ask for a PDF by name; what is rendered is one already."""

    media_type = "application/pdf"
    format = "pdf"
    charset = None

    def render(self, data: Any, *_: object) -> bytes:  # noqa: ANN401 -- as in the base class
        refusal: bytes = JSONRenderer().render(data)
        return refusal


class PdfView(ExportView):
    """A version of the signed report on paper."""

    renderer_classes = [JSONRenderer, PdfRenderer]

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "version", int, description="An earlier version; left out, the one in force."
            )
        ],
        responses={(200, PdfRenderer.media_type): OpenApiTypes.BINARY, 400: FIELDS_REFUSED}
        | OF_A_CASE
        | NO_LONGER_VALID,
    )
    def get(self, request: Request, case_id: UUID) -> HttpResponse:
        """The signed report as PDF: the version in force, or the one asked for.

        An earlier version says across every page which one superseded it. A report that no longer
        says what was signed is refused.
        """
        case = self._case(case_id)
        report = self._report(case, request.query_params.get("version", ""))
        sheet = self._sheet(case, report)
        content = pdf.render(sheet)
        self._exported(case, "PDF", report, identified=sheet.is_identified)
        name = printed.file_name(case, report)
        headers = {
            "Content-Disposition": content_disposition_header(as_attachment=True, filename=name)
        }
        return HttpResponse(content, content_type=PdfRenderer.media_type, headers=headers)

    def _report(self, case: Case, version: str) -> Report:
        if version:
            found = next((one for one in case.reports.all() if str(one.version) == version), None)
        else:
            found = case.reports.current().first()
        if found is None:
            raise NotFound("There is no such version." if version else "The case is not signed.")
        return found

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- as in the base class
        """A refusal is words, whatever was asked for."""
        if response.status_code != status.HTTP_200_OK:
            request.accepted_renderer = JSONRenderer()
            request.accepted_media_type = JSONRenderer.media_type
        return super().finalize_response(request, response, *args, **kwargs)
