"""Reports: issued once a case is signed; after that every change is a new version (R12)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db.transaction import atomic

from accounts.authentication import Reauthentication
from accounts.models import User
from cases import audit, bethesda, clock, permissions, signature
from cases.models import ABNORMAL_CLASSES, Case, Patient, Report
from cases.signature import Change, Kind, Signature
from cases.workflow import words
from cases.workflow.finding import Decision, make_finding
from cases.workflow.preparation import numbering, refuse_impossible_dates
from cases.workflow.quality import open_look_backs
from cases.workflow.transition import InvalidTransition, Refused, locked, require, require_fresh

_ACTIONS = {Kind.ADDENDUM: "addend", Kind.AMENDMENT: "amend", Kind.CORRECTION: "correct"}
LONGEST_REASON = 1000  # characters
LONGEST_TEXT = 4000
Status = Case.Status


class StaleReport(InvalidTransition):
    """The version on the page is not the newest: somebody issued another one meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a report says of the specimen, and its comment, without the clerical error."""

    record_number: str
    specimen_type: str
    collected_on: date | None
    comment: str


def issue(case: Case, said: signature.Content, signed: Signature) -> Report:
    """Keep a version of the report. Called by the verbs, within their transactions."""
    text = signature.canonical(said)
    return Report.objects.create(
        case=case,
        version=signed.version,
        kind=signed.kind,
        content=text,
        digest=signature.digest(text),
        signed_by=signed.signer,
        signed_at=signed.at,
    )


def addend(case: Case, user: User, change: Change, text: str, proof: Reauthentication) -> Case:
    """Add information to a released report; its result stays as it was."""
    text = words.needed(text, "addendum", LONGEST_TEXT)
    with atomic():
        case, report = _current(case, user, "addend", change, proof)
        return _supersede(case, user, report, change, kind=Kind.ADDENDUM, mended={"addendum": text})


def amend(  # noqa: PLR0913 -- what a pathologist says at once
    case: Case,
    user: User,
    change: Change,
    read: bethesda.Read,
    proof: Reauthentication,
    *,
    cells: Sequence[Decision] = (),
) -> Case:
    """Change the result of a released report, or findings of its cells, or both.

    The earlier version stays readable with its own findings, and is named. ``cells`` that say what
    the report says already change nothing.
    """
    with atomic():
        case, report = _current(case, user, "amend", change, proof)
        said = json.loads(report.content)
        amended = _amend_cells(case, user, report.version + 1, said, cells)
        now = [amended.get(cell["image"], cell) for cell in said["cells"]]
        abnormal = sum(cell["finding"] in ABNORMAL_CLASSES for cell in now)
        if problems := bethesda.problems(read, abnormal):
            raise Refused(" ".join(problems))
        if read.to_json() == said["read"] and not amended:
            raise Refused(
                "Result and findings are what the report says already. More information is an "
                "addendum; a clerical error is a correction."
            )
        changes: dict[str, Any] = {}
        if read.to_json() != said["read"]:
            changes["read"] = [said["read"], read.to_json()]
        if amended:
            changes["cells"] = [
                [digest, cell["amended"]["before"], cell["finding"] or _excluded(cell)]
                for digest, cell in amended.items()
            ]
        return _supersede(
            case,
            user,
            report,
            change,
            kind=Kind.AMENDMENT,
            mended={
                "read": read.to_json(),
                "cells": now,
                "pictures": _pictures(said["pictures"], [*amended]),
            },
            changes=changes,
        )


def _amend_cells(
    case: Case, user: User, version: int, said: signature.Content, cells: Sequence[Decision]
) -> dict[str, signature.Content]:
    """Change findings of a signed case; the cells as the new version has them, by their digest.

    The finding that stood is withdrawn and kept, and the new one, which says whose it is, takes its
    place wherever confirmed cells are shown or counted.
    """
    images = case.images.in_bulk([decision.image_id for decision in cells])
    stated = {cell["image"]: cell for cell in said["cells"]}
    signed = case.reviews.get(ended_at=case.signed_at)
    amended = {}
    for decision in cells:
        image = images.get(decision.image_id)
        if image is None or image.digest not in stated:
            raise Refused("This image is not in the report.")
        if not (decision.cell_class or decision.exclusion):
            raise Refused(f"Say which class {image.name} has, or why it is excluded.")
        cell = stated[image.digest]
        if (decision.cell_class, decision.exclusion.strip()) == (
            cell["finding"] or "",
            cell["exclusion"] or "",
        ):
            continue
        held = signed.findings.select_for_update().filter(image=image, withdrawn_at=None).first()
        if held:
            held.withdrawn_at = clock.now()
            held.save(update_fields=["withdrawn_at"])
        prediction = held.prediction if held else None
        made = make_finding(signed, image, decision, prediction, user)
        amended[image.digest] = cell | {
            "finding": made.cell_class or None,
            "exclusion": made.exclusion or None,
            "amended": {
                "version": version,
                "by": signature.person(user),
                "before": cell["finding"] or _excluded(cell),
            },
        }
    return amended


def _pictures(shown: Sequence[str], amended: Sequence[str]) -> list[str]:
    """The pictures of the new version; where they are too many, the last earlier ones go."""
    added = [digest for digest in amended if digest not in shown]
    most = signature.MOST_PICTURES
    over = len(shown) + len(added) - most
    can_go = [digest for digest in shown if digest not in amended]
    gone = set(can_go[-over:]) if over > 0 else set()
    return [digest for digest in (*shown, *added) if digest not in gone][:most]


def _excluded(cell: signature.Content) -> str:
    return f"excluded: {cell['exclusion']}"


def correct(
    case: Case, user: User, change: Change, correction: Correction, proof: Reauthentication
) -> Case:
    """Mend a clerical error in a released report, and in the case that it was taken from."""
    with atomic():
        case, report = _current(case, user, "correct", change, proof)
        said = json.loads(report.content)
        _mend(case, correction)
        read = said["read"] | {"comment": correction.comment.strip()}
        mended = signature.specimen(case) | {"read": read}
        changes = {key: [said[key], mended[key]] for key in mended if said[key] != mended[key]}
        if not changes:
            raise Refused("Nothing differs from what the report says already.")
        return _supersede(
            case, user, report, change, kind=Kind.CORRECTION, mended=mended, changes=changes
        )


def _current(
    case: Case, user: User, action: str, change: Change, proof: Reauthentication
) -> tuple[Case, Report]:
    """The locked case and the report that is in force, where this person may change it."""
    case = locked(case, f"{action} the report of", Status.SIGNED)
    require(
        permissions.can_change_report(user, case), "Only pathologists change a released report."
    )
    require_fresh(proof, user)
    report = case.reports.current().get()
    if report.version != change.supersedes:
        raise StaleReport(
            f"Version {report.version} of the report was issued meanwhile. "
            "Nothing was changed; look at that version first."
        )
    if not signature.matches(report):
        raise Refused(
            f"Version {report.version} no longer says what was signed: its content does not match "
            "its digest. No version is made from it; tell your laboratory."
        )
    return case, report


def _supersede(  # noqa: PLR0913 -- each is a part of the new version, named at the call
    case: Case,
    user: User,
    report: Report,
    change: Change,
    *,
    kind: Kind,
    mended: signature.Content,
    **detail: Any,  # noqa: ANN401 -- what the trail keeps, as JSON
) -> Case:
    change = _checked(change)
    signed = Signature(user, clock.now(), report.version + 1, kind)
    made = issue(case, signature.next_content(case, report, signed, change, mended), signed)
    audit.record(
        case,
        user,
        _ACTIONS[kind],
        version=made.version,
        digest=made.digest,
        reason=change.reason,
        affects_care=change.affects_care,
        notified=change.notified,
        **detail,
    )
    open_look_backs(case, user, bethesda.Read.from_json(json.loads(made.content)["read"]))
    return case


def _checked(change: Change) -> Change:
    """The change in words that can be kept."""
    reason = words.needed(change.reason, "reason", LONGEST_REASON)
    who = words.notified(change.notified, change.notified_at, affects_care=change.affects_care)
    return replace(change, reason=reason, notified=who)


def _mend(case: Case, correction: Correction) -> None:
    """Put right in the case what was typed wrong at accession; the trail keeps both."""
    numbering(case.laboratory_id)
    before = case.patient
    case.patient = _patient(case, correction.record_number.strip())
    case.specimen_type = correction.specimen_type
    case.collected_on = correction.collected_on
    refuse_impossible_dates(case)
    case.full_clean(exclude=["reviewer"])
    case.save()
    if case.patient != before and not before.cases.exists():
        before.delete()  # an id typed wrong leaves no name behind without a case


def _patient(case: Case, record_number: str) -> Patient:
    """Whose specimen it truly is.

    An id that only this case had was typed wrong, and keeps its name under the right id; an id of
    another patient's names that patient, and one that is new here nobody yet.
    """
    before = case.patient
    if record_number.casefold() == before.record_number.casefold():
        return before
    patients = Patient.objects.filter(laboratory=case.laboratory)
    patient = patients.filter(record_number__iexact=record_number).first()
    if patient is None:
        is_shared = before.cases.exclude(pk=case.pk).exists()
        patient = Patient(laboratory=case.laboratory) if is_shared else before
        patient.record_number = record_number
        patient.full_clean()
        patient.save(update_fields=["record_number"] if patient.pk else None)
    return patient
