"""The addresses of a laboratory's cases."""

from django.urls import path

from cases import views

urlpatterns = [
    path("laboratory/reading/", views.reading_settings, name="reading-settings"),
    path("look-backs/", views.look_backs, name="look-backs"),
    path("look-backs/<int:task_id>/", views.look_back, name="look-back"),
    path("histology/", views.histologies, name="histologies"),
    path("reads/", views.readers, name="readers"),
    path("reads/<int:person_id>/", views.reads, name="reads"),
    path("reads/<int:person_id>/workload/", views.reads_workload, name="reads-workload"),
    path("reading/layout/", views.gallery_layout, name="gallery-layout"),
    path("reading/keys/", views.reading_keys, name="reading-keys"),
    path("cases/", views.worklist, name="worklist"),
    path("cases/new/", views.case_new, name="case-new"),
    path("cases/<uuid:case_id>/", views.case_detail, name="case-detail"),
    path("cases/<uuid:case_id>/revise/", views.case_revise, name="case-revise"),
    path("cases/<uuid:case_id>/upload/", views.case_upload, name="case-upload"),
    path("cases/<uuid:case_id>/submit/", views.case_submit, name="case-submit"),
    path("cases/<uuid:case_id>/retry/", views.case_retry, name="case-retry"),
    path("cases/<uuid:case_id>/reclassify/", views.case_reclassify, name="case-reclassify"),
    path("cases/<uuid:case_id>/claim/", views.case_claim, name="case-claim"),
    path("cases/<uuid:case_id>/release/", views.case_release, name="case-release"),
    path("cases/<uuid:case_id>/histology/", views.case_histology, name="case-histology"),
    path("cases/<uuid:case_id>/pass-on/", views.case_pass_on, name="case-pass-on"),
    path("cases/<uuid:case_id>/hand-over/", views.case_hand_over, name="case-hand-over"),
    path("cases/<uuid:case_id>/send-back/", views.case_send_back, name="case-send-back"),
    path("cases/<uuid:case_id>/decide/", views.case_decide, name="case-decide"),
    path("cases/<uuid:case_id>/read/", views.case_read, name="case-read"),
    path("cases/<uuid:case_id>/refer/", views.case_refer, name="case-refer"),
    path("cases/<uuid:case_id>/sign-out/", views.case_sign_out, name="case-sign-out"),
    path("cases/<uuid:case_id>/sign/", views.case_sign, name="case-sign"),
    path("cases/<uuid:case_id>/report/", views.case_report, name="case-report"),
    path(
        "cases/<uuid:case_id>/report/<int:version>/",
        views.case_report_version,
        name="case-report-version",
    ),
    path("cases/<uuid:case_id>/report/addend/", views.case_addend, name="case-addend"),
    path("cases/<uuid:case_id>/report/amend/", views.case_amend, name="case-amend"),
    path("cases/<uuid:case_id>/report/correct/", views.case_correct, name="case-correct"),
    path("cases/<uuid:case_id>/trail/", views.case_trail, name="case-trail"),
    path("cases/<uuid:case_id>/ahead/", views.case_ahead, name="case-ahead"),
    path("cases/<uuid:case_id>/cells/<uuid:image_id>/", views.cell, name="cell"),
    path(
        "cases/<uuid:case_id>/cells/<uuid:image_id>/similar/",
        views.cell_similar,
        name="cell-similar",
    ),
    path(
        "cases/<uuid:case_id>/cells/<uuid:image_id>/remove/",
        views.image_remove,
        name="image-remove",
    ),
    path("cases/<uuid:case_id>/cells/<uuid:image_id>/image.png", views.image, name="image"),
    path(
        "cases/<uuid:case_id>/cells/<uuid:image_id>/thumbnail.webp",
        views.thumbnail,
        name="thumbnail",
    ),
]
