"""A case as a FHIR document, over the API."""

import logging
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from cases import audit, permissions, sight, signature
from cases.api.errors import Conflict
from cases.api.views import OF_A_CASE, PrivateView
from cases.models import Case
from reports import fhir

logger = logging.getLogger(__name__)


class FhirRenderer(JSONRenderer):
    media_type = "application/fhir+json"
    format = "fhir"


class FhirView(PrivateView):
    """The document Bundle of a case."""

    renderer_classes = [FhirRenderer, JSONRenderer]

    @extend_schema(
        responses={
            (200, FhirRenderer.media_type): OpenApiResponse(
                {"type": "object", "additionalProperties": {}}, "A FHIR R4 Bundle."
            )
        }
        | OF_A_CASE
        | {409: OpenApiResponse(description="The report no longer matches its digest.")}
    )
    def get(self, request: Request, case_id: UUID) -> Response:  # noqa: ARG002 -- as in the base class
        """What was signed, or what is known so far, as a FHIR R4 document.

        The patient is named to those who may see who they are. A report that no longer says what
        was signed is refused.
        """
        cases = Case.objects.visible_to(self.reader).select_related("laboratory", "patient")
        case = get_object_or_404(cases, pk=case_id)
        known = self._known(case)
        is_identified = permissions.can_see_patient_identity(self.reader)
        if is_identified:
            known = replace(
                known, patient_name=case.patient.name, birth_date=case.patient.birth_date
            )
        document = fhir.document(known)
        told: dict[str, Any] = {"version": known.version} if known.version else {}
        audit.record(case, self.reader, "export", form="FHIR", identified=is_identified, **told)
        return Response(document)

    def _known(self, case: Case) -> fhir.Known:
        report = case.reports.current().first()
        if report is None:
            return fhir.of_case(case, sight.of(self.reader, case))
        known = fhir.of_report(report, case) if signature.matches(report) else None
        if known is None:
            logger.error("Report %s version %s does not match its digest", case.pk, report.version)
            raise Conflict(
                f"Version {report.version} of this report is not valid: its content does not match "
                "the digest that was signed. Nothing was exported; tell your laboratory."
            )
        return known
