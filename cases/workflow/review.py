"""Reading: a person claims a case and decides on its cells; a pathologist signs it out."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from django.db.transaction import atomic

from accounts.authentication import Reauthentication
from accounts.models import User
from cases import (
    audit,
    bethesda,
    clock,
    permissions,
    queries,
    sight,
    signature,
    wording,
    workload,
)
from cases.models import (
    ABNORMAL_CLASSES,
    Case,
    Display,
    Finding,
    ReadingSettings,
    Review,
)
from cases.policy import Outcome
from cases.workflow.finding import Decision, make_finding
from cases.workflow.holding import let_go, require_holder
from cases.workflow.quality import open_look_backs
from cases.workflow.reports import issue
from cases.workflow.transition import (
    InvalidTransition,
    Refused,
    keep,
    locked,
    one_of,
    require,
    require_fresh,
    transition,
)

Status = Case.Status


CLAIMS: dict[str, str] = {waiting: held for held, waiting in Case.BACK_TO.items()}
_ONLY: dict[str, str] = {
    Status.AWAITING_SCREENING: "Only cytotechnologists screen cases.",
    Status.AWAITING_RESCREEN: "Only pathologists and senior cytotechnologists rescreen cases.",
    Status.AWAITING_REVIEW: "Only pathologists review cases.",
}


def claim(case: Case, user: User) -> Case:
    """Take a case to read; only one person can. Who comes back finds their own findings.

    A read begins in the order that the laboratory has chosen, and keeps it.
    """
    with one_of(case, "claim", CLAIMS, user) as (case, detail):
        require(permissions.can_claim(user, case), _ONLY[case.status])
        review = begin_read(case, user, _kind_of_read(case))
        detail["kind"] = str(review.kind)
        detail["blind"] = review.is_blind
    return case


def begin_read(case: Case, user: User, kind: Review.Kind) -> Review:
    """Put a locked case into the hands of this reader, who finds their own read of it again."""
    if kind == Review.Kind.RESCREEN and queries.has_read_first(case, user):
        raise Refused(f"{user.name} has read this case: somebody else has to read it again (R6).")
    _refuse_beyond_limit(case, user, kind)
    case.reviewer = user
    review, _ = Review.objects.update_or_create(
        case=case,
        reader=user,
        kind=kind,
        superseded_at=None,
        defaults={"ended_at": None},
        create_defaults={"started_at": clock.now(), "is_blind": _is_blind(case, user, kind)},
    )
    return review


def _refuse_beyond_limit(case: Case, user: User, kind: Review.Kind) -> None:
    """Refuse a read beyond what the person may read in a day (R9); one slide counts one (R10)."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # one read begins at a time
    slides = workload.of(user).slides
    others = workload.counted(user).exclude(case=case, kind=kind, superseded_at=None)
    if others.count() < slides:
        return
    again = workload.free_again_at(others, slides)
    when = again.astimezone(case.laboratory.zone) if again else None
    then = "finish one first" if slides else "a pathologist can set another limit"
    if when:
        then = f"the next can begin on {when.day} {when:%B at %H:%M}"
    raise Refused(
        f"{user.name} has read {wording.count(slides, 'slide')} in 24 hours, which is the most "
        f"that is allowed: {then} (R9)."
    )


def _kind_of_read(case: Case) -> Review.Kind:
    if case.status == Status.AWAITING_SCREENING:
        return Review.Kind.SCREENING
    if case.status == Status.AWAITING_RESCREEN:
        return Review.Kind.RESCREEN
    disputed = case.reviews.filter(outcome=Outcome.ADJUDICATE).exists()
    return Review.Kind.ADJUDICATION if disputed else Review.Kind.REVIEW


def _is_blind(case: Case, user: User, kind: Review.Kind) -> bool:
    """A rescreen always (R6), others where the laboratory reads blind first (R22)."""
    if kind == Review.Kind.RESCREEN:
        return True
    has_seen = case.reviews.filter(reader=user, committed_at__isnull=False).exists()
    return ReadingSettings.of(case.laboratory).is_blind_first and not has_seen


def release(case: Case, user: User) -> Case:
    """Give a claimed case back; the findings stay for when the reader claims it again."""
    with one_of(case, "release", Case.BACK_TO, user) as (case, detail):
        require(permissions.can_release(user, case), "Only its reviewer may release the case.")
        if case.reviewer_id != user.pk:
            detail["held_by"] = case.reviewer_id
        let_go(case)
    return case


class StaleFinding(InvalidTransition):
    """The finding on the page is not the one in the record: another tab was quicker."""


def decide(case: Case, user: User, decisions: Sequence[Decision]) -> list[Finding]:
    """Keep the reader's findings, all of them or none. Returns the new ones.

    Raises `StaleFinding` when one of them would overwrite a finding that the reader has not seen.
    """
    with atomic():
        case = locked(case, "decide on the cells of", *Case.HELD)
        require_holder(case, user)
        require(permissions.can_decide(user, case), "Only its reviewer may decide on the cells.")
        review = Review.objects.get(case=case, ended_at=None)
        ids = {decision.image_id for decision in decisions}
        images = case.images.in_bulk(ids)
        held_findings = review.findings.filter(withdrawn_at=None, image_id__in=ids)
        current = {finding.image_id: finding for finding in held_findings}
        answers = queries.shown_predictions(case, sight.WHOLE).filter(image_id__in=ids)
        shown = {answer.image_id: answer for answer in answers}
        made = []
        which = "this cell" if len(decisions) == 1 else "one of these cells"
        for decision in decisions:
            image = images.get(decision.image_id)
            if image is None:
                raise Refused("This image is not in the case.")
            held = current.pop(decision.image_id, None)
            if (held.pk if held else None) != decision.replaces:
                raise StaleFinding(
                    f"The finding for {which} was changed elsewhere meanwhile. "
                    "Nothing was overwritten; look at the newer one first."
                )
            if held:
                held.withdrawn_at = clock.now()
                held.save(update_fields=["withdrawn_at"])
            if decision.cell_class or decision.exclusion:
                finding = make_finding(review, image, decision, shown.get(image.pk))
                current[image.pk] = finding
                made.append(finding)
        keep(case)
        case.save(update_fields=["held_until"])
        audit.record(
            case,
            user,
            "decide",
            decisions=[
                [str(d.image_id), d.cell_class or (d.exclusion and f"excluded: {d.exclusion}")]
                for d in decisions
            ],
        )
    return made


def display(case: Case, user: User, image_ids: Collection[UUID]) -> list[UUID]:
    """Keep that these cells were in sight of who holds the case. Returns those that are new.

    What was displayed once stays so; saying it again does no harm.
    """
    with atomic():
        case = locked(case, "display the cells of", *Case.HELD)
        require(permissions.can_decide(user, case), "Only its reviewer reads the cells.")
        if case.images.filter(pk__in=image_ids).count() != len(set(image_ids)):
            raise Refused("This image is not in the case.")
        known = set(queries.displays(case).values_list("image_id", flat=True))
        new = sorted(set(image_ids) - known)
        now = clock.now()
        Display.objects.bulk_create(Display(image_id=pk, reader=user, at=now) for pk in new)
        if new:
            audit.record(case, user, "display", images=[str(pk) for pk in new])
    return new


def findings_for(case: Case, read: bethesda.Read) -> list[Finding]:
    """The findings that stand behind a read, one for each cell.

    Raises `Refused` where a cell is undecided, or with a sentence for each rule that is broken.
    """
    findings = list(
        queries.compared_findings(case)
        .select_related("image", "prediction__model_version")
        .order_by("image__digest")
    )
    undecided = case.images.count() - len(findings)
    if undecided:
        cells = "One cell has" if undecided == 1 else f"{undecided} cells have"
        raise Refused(f"{cells} no finding yet. Decide on every cell or exclude it first.")
    if unseen := queries.undisplayed(case).count():
        cells = "One cell was" if unseen == 1 else f"{unseen} cells were"
        raise Refused(f"{cells} never displayed to you. Look at every cell or exclude it.")
    if problems := bethesda.problems(read, abnormal_cells(findings)):
        raise Refused(" ".join(problems))
    return findings


def abnormal_cells(findings: Sequence[Finding]) -> int:
    return sum(finding.cell_class in ABNORMAL_CLASSES for finding in findings)


def stand_by(review: Review, read: bethesda.Read, reason: str) -> None:
    """Make this the read that the reader stands by.

    Where it is another than the one that they committed before they saw the model's output, or
    where a finding is, they have to say why (R22).
    """
    if review.committed_at is None:
        review.committed_at, review.committed_read = clock.now(), read.to_json()
    elif review.committed_read != read.to_json() or queries.changed_since_commit(review):
        review.change_reason = reason.strip()
        if not review.change_reason:
            raise Refused(
                "You changed your read after the output of the model was shown: say why (R22)."
            )
    review.read = read.to_json()


def sign(  # noqa: PLR0913 -- what a pathologist says at once
    case: Case,
    user: User,
    read: bethesda.Read,
    proof: Reauthentication,
    pictures: Collection[UUID] | None = None,
    *,
    reason: str = "",
) -> Case:
    """Sign a case out: adequacy, interpretation and a report bound to the signature.

    Rules R3, R4, R15, R16, R19 and R22. ``proof`` says that the person has just given their
    password; ``pictures`` are the images that the report shows, the abnormal ones unless others
    are chosen; ``reason`` says why a read was changed after the model's output was shown. Raises
    `Refused` with a sentence for each rule that the read breaks.
    """
    with transition(case, user, "sign", Status.REVIEWING, Status.SIGNED) as (case, detail):
        require_holder(case, user)
        require(permissions.can_sign(user, case), "Only its reviewer may sign the case.")
        review = queries.open_review(case)
        if review.awaits_commit:
            raise Refused("This case is read blind first: commit your own read, then sign (R22).")
        require_fresh(proof, user)
        findings = findings_for(case, read)
        stand_by(review, read, reason)
        _refuse_pictures(case, pictures or ())
        detail.update(release_report(case, user, review, findings, pictures))
    return case


def release_report(
    case: Case,
    user: User,
    review: Review,
    findings: list[Finding],
    pictures: Collection[UUID] | None = None,
) -> dict[str, Any]:
    """End a read with the report that is bound to its signature; what the trail keeps of it."""
    case.signed_at = review.ended_at = clock.now()
    review.save()
    signed = signature.Signature(user, case.signed_at)
    read = bethesda.Read.from_json(review.read or {})
    others = queries.shown_reads(case, sight.WHOLE)
    reads = [*(one for one in others if one.pk != review.pk), review]
    content = signature.content(case, read, findings, signed, pictures, reads=reads)
    report = issue(case, content, signed)
    open_look_backs(case, user, read)
    return {"digest": report.digest, "read": review.read}


def _refuse_pictures(case: Case, pictures: Collection[UUID]) -> None:
    if len(set(pictures)) > signature.MOST_PICTURES:
        raise Refused(f"A report shows at most {signature.MOST_PICTURES} pictures: choose fewer.")
    if case.images.filter(pk__in=pictures).count() != len(set(pictures)):
        raise Refused("One of the pictures for the report is not in the case.")
