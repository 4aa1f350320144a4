"""Whether a report on paper is one that was issued, by its accession number and digest.

Anybody may ask, and learns nothing but the answer. Who knows a digest has held the report: 256
bits are not guessed. Who does not is told the same, whether or not there is such a case.
"""

from dataclasses import dataclass
from enum import StrEnum

from accounts.models import User
from cases import signature
from cases.models import Case, Report


class Standing(StrEnum):
    VALID = "valid"
    SUPERSEDED = "superseded"
    ALTERED = "altered"
    OTHER = "other"  # the visitor's own laboratory has another report under this number
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a digest; the report itself is for its own laboratory alone."""

    standing: Standing
    version: int | None = None
    in_force: int | None = None
    report: Report | None = None


def verify(accession_number: str, digest: str, visitor: User | None) -> Verdict:
    """Hold an accession number and a digest against what is stored."""
    named = Report.objects.filter(case__accession_number__iexact=accession_number.strip())
    report = named.filter(digest=digest.strip().lower()).select_related("case").first()
    if report is None:
        own = named.filter(case__in=Case.objects.visible_to(visitor)) if visitor else named.none()
        other = own.current().select_related("case").first()
        return Verdict(Standing.OTHER if other else Standing.UNKNOWN, report=other)
    in_force = report.case.reports.current().get().version
    return Verdict(
        _standing(report, in_force),
        report.version,
        in_force,
        report if visitor and visitor.laboratory_id == report.case.laboratory_id else None,
    )


def _standing(report: Report, in_force: int) -> Standing:
    if not signature.matches(report):
        return Standing.ALTERED
    return Standing.VALID if report.version == in_force else Standing.SUPERSEDED
