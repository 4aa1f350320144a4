"""The table of contents of the site and the API."""

from django.urls import include, path

urlpatterns = [
    path("learn/", include("education.urls")),
    path("dashboard/", include("dashboards.urls")),
    path("api/v1/", include("config.api_urls")),
    path("", include("accounts.urls")),
    path("", include("cases.urls")),
    path("", include("reports.urls")),
]
