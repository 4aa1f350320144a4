"""The addresses of what leaves the laboratory."""

from django.urls import path

from reports import views

urlpatterns = [
    path(
        "cases/<uuid:case_id>/report/<int:version>/pdf/",
        views.report_pdf,
        name="report-pdf",
    ),
    path("verify/", views.report_verify, name="report-verify"),
]
