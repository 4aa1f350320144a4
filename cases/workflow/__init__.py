"""Everything that can happen to a case: one function a verb.

Each verb locks the case, checks its state and who asks, changes it and records the audit event in
one transaction, and returns the fresh case. Pages, API, workers and commands call verbs; nothing
else changes a status. docs/workflow.md draws them.
"""

from cases.workflow.classification import (
    MAX_RUNS,
    Answer,
    advance,
    begin,
    fail,
    reclassify,
    record,
    recover,
    requeue,
    retry,
    unanswered,
)
from cases.workflow.finding import Decision
from cases.workflow.holding import expire, expire_idle, heartbeat
from cases.workflow.identity import erase_identity
from cases.workflow.passing_on import LONGEST_COMMENT, hand_over, send_back
from cases.workflow.preparation import (
    Accession,
    AlreadyInCase,
    accession,
    add_image,
    remove_image,
    revise,
    submit,
    suggest_accession_number,
    sweep,
)
from cases.workflow.quality import LookBack, Tissue, look_back, record_histology
from cases.workflow.reports import Correction, StaleReport, addend, amend, correct
from cases.workflow.review import (
    CLAIMS,
    StaleFinding,
    claim,
    decide,
    display,
    release,
    sign,
)
from cases.workflow.screening import commit, conclude, refer, sign_out
from cases.workflow.transition import InvalidTransition, Refused

__all__ = [
    "CLAIMS",
    "LONGEST_COMMENT",
    "MAX_RUNS",
    "Accession",
    "AlreadyInCase",
    "Answer",
    "Correction",
    "Decision",
    "InvalidTransition",
    "LookBack",
    "Refused",
    "StaleFinding",
    "StaleReport",
    "Tissue",
    "accession",
    "add_image",
    "addend",
    "advance",
    "amend",
    "begin",
    "claim",
    "commit",
    "conclude",
    "correct",
    "decide",
    "display",
    "erase_identity",
    "expire",
    "expire_idle",
    "fail",
    "hand_over",
    "heartbeat",
    "look_back",
    "reclassify",
    "record",
    "record_histology",
    "recover",
    "refer",
    "release",
    "remove_image",
    "requeue",
    "retry",
    "revise",
    "send_back",
    "sign",
    "sign_out",
    "submit",
    "suggest_accession_number",
    "sweep",
    "unanswered",
]
