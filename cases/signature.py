"""The canonical report and its digest: what exactly a pathologist signs (R16).

The canonical form is JSON (RFC 8259) in UTF-8 with sorted keys, no white space between tokens and
no escapes but the necessary ones; times are ISO 8601 in UTC. The digest is the SHA-256 of its
bytes.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from accounts.models import User
from cases.bethesda import Read
from cases.models import Case, Finding, Report

MEANING = "I have reviewed the cell images of this case and issue this report."
Content = dict[str, Any]
DISCLAIMER = "Research and education only, not for diagnosis."


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signs which version of a report, and when."""

    signer: User
    at: datetime
    version: int = 1


def canonical(content: Content) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(content: str) -> str:
    return sha256(content.encode()).hexdigest()


def matches(report: Report) -> bool:
    """Whether the report still says what was signed."""
    return digest(report.content) == report.digest


def content(case: Case, read: Read, findings: list[Finding], signature: Signature) -> Content:
    """Everything a report states; ``findings`` come with image, prediction and model version.

    The patient appears by pseudonym only, so that an erasure of the identity (R21) leaves the
    signed record whole.
    """
    return {
        "report_version": signature.version,
        "disclaimer": DISCLAIMER,
        "laboratory": case.laboratory.name,
        "accession_number": case.accession_number,
        "case": str(case.pk),
        "patient": case.patient.record_number,
        "specimen_type": case.specimen_type,
        "collected_on": case.collected_on.isoformat() if case.collected_on else None,
        "read": read.to_json(),
        "cells": [_cell(finding) for finding in findings],
        "signature": {
            "name": signature.signer.name,
            "role": signature.signer.get_role_display(),
            "user": signature.signer.pk,
            "meaning": MEANING,
            "signed_at": signature.at.astimezone(UTC).isoformat(),
        },
    }


def _cell(finding: Finding) -> Content:
    model = finding.prediction
    return {
        "image": finding.image.digest,
        "finding": finding.cell_class or None,
        "exclusion": finding.exclusion or None,
        "model": model
        and {
            "version": model.model_version.name,
            "digest": model.model_version.digest,
            "cell_class": model.stated_class or None,
            "abstained": model.abstained,
            "reasons": model.reasons,
            "prediction_set": model.prediction_set,
            "probabilities": model.probabilities,
        },
    }
