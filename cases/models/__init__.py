"""The facts of a case, a module a subject; the rest of the project imports them from here."""

from cases.models.case import Case, CaseQuerySet, CellImage, Patient
from cases.models.classification import (
    ABNORMAL_CLASSES,
    ARRAYS,
    CELL_CLASSES,
    ClassificationFailure,
    Prediction,
    Run,
)
from cases.models.quality import Histology, Task, WorkloadLimit
from cases.models.report import Report
from cases.models.review import Comment, Display, Finding, RescreenDraw, Review
from cases.models.settings import SET_LEVELS, ReaderPreferences, ReadingSettings
from cases.models.trail import AuditEvent

__all__ = [
    "ABNORMAL_CLASSES",
    "ARRAYS",
    "CELL_CLASSES",
    "SET_LEVELS",
    "AuditEvent",
    "Case",
    "CaseQuerySet",
    "CellImage",
    "ClassificationFailure",
    "Comment",
    "Display",
    "Finding",
    "Histology",
    "Patient",
    "Prediction",
    "ReaderPreferences",
    "ReadingSettings",
    "Report",
    "RescreenDraw",
    "Review",
    "Run",
    "Task",
    "WorkloadLimit",
]
