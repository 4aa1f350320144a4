"""The table of contents of the API."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from cases.api.histology import CaseHistologyView, HistologyViewSet
from cases.api.look_backs import LookBackViewSet
from cases.api.readers import ReaderViewSet
from cases.api.views import CaseViewSet, ModelView
from reports.api import FhirView, PdfView

router = SimpleRouter(use_regex_path=False)
router.register("cases", CaseViewSet, basename="api-case")
router.register("look-backs", LookBackViewSet, basename="api-look-back")
router.register("histology", HistologyViewSet, basename="api-histology")
router.register("readers", ReaderViewSet, basename="api-reader")

urlpatterns = [
    *router.urls,
    path("cases/<uuid:case_id>/histology/", CaseHistologyView.as_view(), name="api-case-histology"),
    path("cases/<uuid:case_id>/fhir/", FhirView.as_view(), name="api-case-fhir"),
    path("cases/<uuid:case_id>/report.pdf", PdfView.as_view(), name="api-case-report-pdf"),
    path("model/", ModelView.as_view(), name="api-model"),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
]
