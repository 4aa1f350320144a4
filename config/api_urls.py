"""The table of contents of the API."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from cases.api.views import CaseViewSet, ModelView
from reports.api import FhirView

router = SimpleRouter(use_regex_path=False)
router.register("cases", CaseViewSet, basename="api-case")

urlpatterns = [
    *router.urls,
    path("cases/<uuid:case_id>/fhir/", FhirView.as_view(), name="api-case-fhir"),
    path("model/", ModelView.as_view(), name="api-model"),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
]
