"""The pages of cases: find, call a verb, show."""

from cases.views.gallery import case_ahead, cell, cell_similar
from cases.views.identity import case_erase_identity
from cases.views.images import image, thumbnail
from cases.views.laboratory import reading_settings, records, records_check
from cases.views.passing_on import case_hand_over, case_pass_on, case_send_back
from cases.views.preferences import gallery_layout, reading_keys
from cases.views.preparation import (
    case_new,
    case_reclassify,
    case_retry,
    case_revise,
    case_submit,
    case_upload,
    image_remove,
)
from cases.views.quality import case_histology, histologies, look_back, look_backs
from cases.views.reads import readers, reads, reads_workload
from cases.views.reports import (
    case_addend,
    case_amend,
    case_correct,
    case_report,
    case_report_version,
)
from cases.views.review import (
    case_claim,
    case_decide,
    case_release,
    case_sign,
)
from cases.views.screening import case_read, case_refer, case_sign_out
from cases.views.worklist import case_detail, case_trail, worklist

__all__ = [
    "case_addend",
    "case_ahead",
    "case_amend",
    "case_claim",
    "case_correct",
    "case_decide",
    "case_detail",
    "case_erase_identity",
    "case_hand_over",
    "case_histology",
    "case_new",
    "case_pass_on",
    "case_read",
    "case_reclassify",
    "case_refer",
    "case_release",
    "case_report",
    "case_report_version",
    "case_retry",
    "case_revise",
    "case_send_back",
    "case_sign",
    "case_sign_out",
    "case_submit",
    "case_trail",
    "case_upload",
    "cell",
    "cell_similar",
    "gallery_layout",
    "histologies",
    "image",
    "image_remove",
    "look_back",
    "look_backs",
    "readers",
    "reading_keys",
    "reading_settings",
    "reads",
    "reads_workload",
    "records",
    "records_check",
    "thumbnail",
    "worklist",
]
