"""The canonical report and its digest: what exactly a pathologist signs (R16).

The canonical form is JSON (RFC 8259) in UTF-8 with sorted keys, no white space between tokens and
no escapes but the necessary ones; times are ISO 8601 in UTC. The digest is the SHA-256 of its
bytes. docs/workflow.md names every key.

Nothing here reads a signed text back for people: `cases.signed` does.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from accounts.models import User
from cases import queries
from cases.bethesda import Read
from cases.models import ABNORMAL_CLASSES, Case, Finding, Prediction, Report, Review

Content = dict[str, Any]
Kind = Report.Kind
DISCLAIMER = "Research and education only, not for diagnosis."
MEANING = "I have reviewed the cell images of this case and issue this report."
MEANINGS = {
    Kind.ORIGINAL: MEANING,
    Kind.ADDENDUM: "I add this information to the report and issue it as a new version.",
    Kind.AMENDMENT: "I have reviewed this case again, change its result or findings and issue this "
    "report in place of the earlier version.",
    Kind.CORRECTION: "I mend a clerical error in this report and issue it in place of the "
    "earlier version.",
}
MOST_PICTURES = 12  # of cells in a report, so that it stays one that is read


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signs which version of a report, and when."""

    signer: User
    at: datetime
    version: int = 1
    kind: Kind = Kind.ORIGINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Why a released report gets a new version, and who was told (R12).

    ``supersedes`` is the version that the person saw. Where care is affected somebody must have
    been notified: who, and when.
    """

    supersedes: int
    reason: str
    affects_care: bool
    notified: str = ""
    notified_at: datetime | None = None


def canonical(content: Content) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(content: str) -> str:
    return sha256(content.encode()).hexdigest()


def matches(report: Report) -> bool:
    """Whether the report still says what was signed."""
    return digest(report.content) == report.digest


def content(  # noqa: PLR0913 -- a report is made of these
    case: Case,
    read: Read,
    findings: Sequence[Finding],
    signature: Signature,
    pictures: Collection[UUID] | None = None,
    *,
    reads: Sequence[Review] = (),
) -> Content:
    """Everything a report states; ``findings`` come with image, prediction and model version.

    ``pictures`` are the images that the report shows, by id: the abnormal ones where the signer
    chose none. ``reads`` are those that were committed, oldest first; the last one is the signer's,
    and where it was blind to the model, what was committed stands beside the final read (R22). The
    patient appears by pseudonym only, so that an erasure of the identity (R21) leaves the signed
    record whole.
    """
    before = _before_the_model(reads[-1]) if reads else None
    return {
        **_head(case, signature),
        "accession_number": case.accession_number,
        "case": str(case.pk),
        "received_at": moment(case.accessioned_at),
        **specimen(case),
        "read": read.to_json(),
        "reads": [_read(one) for one in reads],
        "cells": [_cell(finding, before) for finding in findings],
        "cells_read_by": person(signature.signer),
        "pictures": _pictures(findings, pictures),
        "change": None,
        "earlier": [],
    }


def specimen(case: Case) -> Content:
    """What a correction can mend about the specimen."""
    return {
        "patient": case.patient.record_number,
        "specimen_type": case.specimen_type,
        "collected_on": case.collected_on.isoformat() if case.collected_on else None,
    }


def next_content(
    case: Case, report: Report, signature: Signature, change: Change, mended: Content
) -> Content:
    """The content of the version after ``report``: what it said, but for what is ``mended``.

    The new version names the one that it takes the place of by its digest, and carries on what
    each earlier one said of the result.
    """
    said: Content = json.loads(report.content)
    return {
        **said,
        **_head(case, signature),
        "addendum": "",
        **mended,
        "change": {
            "supersedes": report.version,
            "supersedes_digest": report.digest,
            "reason": change.reason,
            "affects_care": change.affects_care,
            "notified": change.notified or None,
            "notified_at": change.notified_at and moment(change.notified_at),
        },
        "earlier": [
            *said["earlier"],
            {
                "version": report.version,
                "kind": said["kind"],
                "digest": report.digest,
                "reason": said["change"] and said["change"]["reason"],
                "addendum": said["addendum"],
                "read": said["read"],
                "signature": said["signature"],
            },
        ],
    }


def _head(case: Case, signature: Signature) -> Content:
    laboratory = case.laboratory
    return {
        "report_version": signature.version,
        "kind": signature.kind.value,
        "disclaimer": DISCLAIMER,
        "laboratory": laboratory.name,
        "letterhead": laboratory.letterhead,
        "time_zone": laboratory.time_zone,
        "addendum": "",
        "signature": {
            **person(signature.signer),
            "role": signature.signer.get_role_display(),
            "meaning": MEANINGS[signature.kind],
            "signed_at": moment(signature.at),
        },
    }


def person(user: User) -> Content:
    """Who somebody is, as a report prints it."""
    return {"name": user.name, "user": user.pk}


def moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _pictures(findings: Sequence[Finding], chosen: Collection[UUID] | None) -> list[str]:
    """The digests of the pictures to show, the most abnormal first."""
    wanted = [
        finding
        for finding in findings
        if (
            finding.cell_class in ABNORMAL_CLASSES if chosen is None else finding.image_id in chosen
        )
    ]
    wanted.sort(key=lambda f: -(f.prediction.abnormality if f.prediction else 1))
    return [finding.image.digest for finding in wanted[:MOST_PICTURES]]


def _read(review: Review) -> Content:
    return {
        "kind": review.kind,
        "reader": review.reader.name,
        "user": review.reader_id,
        "order": "blind" if review.is_blind else "assisted",
        "committed_at": review.committed_at and moment(review.committed_at),
        "committed": review.committed_read,
        "final": review.read,
        "change_reason": review.change_reason or None,
        "outcome": review.outcome or None,
        "why": review.why or None,
        "superseded_at": review.superseded_at and moment(review.superseded_at),
    }


def _before_the_model(review: Review) -> dict[UUID, str] | None:
    """What a blind reader found in each cell before the model's output was shown."""
    if not review.is_blind:
        return None
    return {found.image_id: str(found) for found in queries.findings_at_commit(review)}


def _cell(finding: Finding, before: Mapping[UUID, str] | None) -> Content:
    return {
        "image": finding.image.digest,
        "before_the_model": None if before is None else before.get(finding.image_id, ""),
        "finding": finding.cell_class or None,
        "exclusion": finding.exclusion or None,
        "amended": None,
        "model": model_answer(finding.prediction),
    }


def model_answer(model: Prediction | None) -> Content | None:
    """What a model version said of a cell, and which version it was (R25)."""
    if model is None:
        return None
    return {
        "version": model.model_version.name,
        "digest": model.model_version.digest,
        "cell_class": model.stated_class or None,
        "abstained": model.abstained,
        "reasons": model.reasons,
        "prediction_set": model.prediction_set,
        "probabilities": model.probabilities,
    }
