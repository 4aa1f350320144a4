"""Screening and rescreening: a read is committed, and the policy says what becomes of the case."""

from typing import Any

from django.db.transaction import atomic

from accounts.authentication import Reauthentication
from accounts.models import User
from cases import audit, clock, permissions, policy, queries
from cases.bethesda import Read
from cases.models import Case, Finding, ReadingSettings, Review
from cases.policy import Outcome, Verdict
from cases.workflow.holding import let_go, require_holder
from cases.workflow.rescreen import draw
from cases.workflow.review import abnormal_cells, findings_for, release_report, stand_by
from cases.workflow.transition import (
    InvalidTransition,
    Refused,
    locked,
    move,
    require,
    require_fresh,
    transition,
)

Status = Case.Status
_NOT_YOURS = "Only who holds the case may commit a read of it."


def commit(case: Case, user: User, read: Read) -> Case:
    """Lock one's own read of a case, which must satisfy R3 and R4 (R11).

    A rescreen is compared with the first read, a screening that was assisted goes the way that the
    policy says. Who reads blind first sees the model's output from here on, and then concludes.
    """
    with atomic():
        case = locked(case, "commit a read of", *Case.HELD)
        require_holder(case, user)
        require(permissions.can_decide(user, case), _NOT_YOURS)
        review = queries.open_review(case)
        if not review.awaits_commit:
            raise InvalidTransition(
                "Your read is committed already: it cannot be committed again."
                if review.committed_at
                else "This read is assisted: it is committed by signing."
            )
        findings = findings_for(case, read)
        stand_by(review, read, "")
        if review.kind == Review.Kind.RESCREEN:
            _compare(case, user, review, findings)
        elif review.kind == Review.Kind.SCREENING and not review.is_blind:
            _follow_policy(case, user, "commit", review, findings)
        else:
            review.read = None  # what the reader stands by in the end is still to be said
            review.save()
            audit.record(case, user, "commit", kind=review.kind, read=review.committed_read)
    return case


def conclude(case: Case, user: User, read: Read, reason: str = "") -> Case:
    """Say what one stands by, once the model's output was shown; a change asks for a reason (R22).

    Only a screening is concluded so; a pathologist's read is by `sign`.
    """
    with atomic():
        case = locked(case, "conclude the screening of", Status.SCREENING)
        require_holder(case, user)
        require(permissions.can_decide(user, case), _NOT_YOURS)
        review = queries.open_review(case)
        if review.awaits_commit:
            raise InvalidTransition("Commit your own read first; then conclude.")
        findings = findings_for(case, read)
        stand_by(review, read, reason)
        _follow_policy(case, user, "conclude", review, findings)
    return case


def _follow_policy(
    case: Case, user: User, action: str, review: Review, findings: list[Finding]
) -> None:
    """Refer the case, hold it for rescreen, or leave it to its screener to sign."""
    settings = ReadingSettings.of(case.laboratory)
    read = Read.from_json(review.read or {})
    verdict = policy.after_screening(
        read,
        abnormal_cells(findings),
        settings.rules,
        asked_for=queries.is_screened_again(case),
    )
    case.sent_back_to = None
    detail: dict[str, Any] = {}
    if verdict.outcome == Outcome.SIGN_OUT and policy.is_negative(read):
        drawn = draw(case, review, settings)
        detail["draw"] = {"series": drawn.series, "rank": drawn.rank}
        verdict = policy.held(drawn.rank, drawn.chosen, drawn.higher_risk) or verdict
    target = {
        Outcome.REFER: Status.AWAITING_REVIEW,
        Outcome.HOLD: Status.AWAITING_RESCREEN,
        Outcome.SIGN_OUT: Status.AWAITING_SIGNATURE,
    }[verdict.outcome]
    _decide_outcome(review, verdict)
    if verdict.outcome != Outcome.SIGN_OUT:
        _end(case, review)
    review.save()
    move(case, user, action, target, **_told(review), **detail)


def _compare(case: Case, user: User, review: Review, findings: list[Finding]) -> None:
    """Give the case back to its screener to sign, or to a pathologist where the reads differ."""
    first = queries.first_read(case)
    if first is None:
        raise InvalidTransition("This case has no first read to compare a rescreen with.")
    verdict = policy.after_rescreen(
        Read.from_json(first.read or {}),
        Read.from_json(review.read or {}),
        ReadingSettings.of(case.laboratory).rules,
        abnormal_cells(findings),
    )
    _decide_outcome(review, verdict)
    _end(case, review)
    review.save()
    target = Status.AWAITING_REVIEW
    if verdict.outcome == Outcome.AGREE:
        target = Status.AWAITING_SIGNATURE
        case.reviewer = first.reader
        first.ended_at = None
        first.save(update_fields=["ended_at"])
    move(case, user, "commit", target, **_told(review))


def _decide_outcome(review: Review, verdict: Verdict) -> None:
    review.outcome, review.why = verdict.outcome.value, verdict.sentence


def _end(case: Case, review: Review) -> None:
    review.ended_at = clock.now()
    case.reviewer = None


def _told(review: Review) -> dict[str, object]:
    """What the trail keeps of a read that has an outcome."""
    told: dict[str, object] = {
        "kind": review.kind,
        "read": review.read,
        "outcome": review.outcome,
        "why": review.why,
    }
    if review.change_reason:
        told |= {"committed": review.committed_read, "change_reason": review.change_reason}
    return told


def refer(case: Case, user: User) -> Case:
    """Hand a case to the pathologists that none of the rules sends there."""
    with atomic():
        case = locked(case, "refer", Status.AWAITING_SCREENING, Status.AWAITING_SIGNATURE)
        require(permissions.can_refer(user, case), "Only its screener or a pathologist refers it.")
        let_go(case)
        case.sent_back_to = None
        move(case, user, "refer", Status.AWAITING_REVIEW)
    return case


def sign_out(case: Case, user: User, proof: Reauthentication) -> Case:
    """Release a plain negative case with the signature of who screened it (R2, R15, R16).

    The rules are asked again at this moment, and so is the role (R1, R19).
    """
    user = User.objects.select_related("laboratory").get(pk=user.pk)
    source, target = Status.AWAITING_SIGNATURE, Status.SIGNED
    with transition(case, user, "sign_out", source, target) as (case, detail):
        require(permissions.can_sign(user, case), "Only who screened the case may sign it out.")
        require_fresh(proof, user)
        review = queries.open_review(case)
        read = Read.from_json(review.read or {})
        findings = findings_for(case, read)
        rules = ReadingSettings.of(case.laboratory).rules
        verdict = policy.after_screening(read, abnormal_cells(findings), rules)
        if verdict.outcome == Outcome.REFER:
            raise Refused(f"{verdict.sentence} Refer the case.")
        detail.update(release_report(case, user, review, findings))
    return case
