"""What every page of a case begins with: who asks, and a case that they may see."""

from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from accounts.models import User
from cases import audit, bethesda, permissions, queries, sight, workflow, worklist
from cases.models import Case
from cases.workflow import InvalidTransition, Refused
from inference.registry import NoCurrentModel

if TYPE_CHECKING:
    from collections.abc import Callable

BEATS = 20  # of a page in the time after which an idle holder loses the case
REFUSALS = (InvalidTransition, Refused, NoCurrentModel)


def reader(request: HttpRequest) -> User:
    """The person who asks; every view here requires a login."""
    return cast("User", request.user)


def find_case(request: HttpRequest, case_id: UUID) -> Case:
    """The case with what its pages show; another laboratory's is a 404.

    A look at a case takes it back from a holder who was idle too long, also while no clock runs.
    """
    cases = Case.objects.visible_to(reader(request)).with_people()
    case = get_object_or_404(cases, pk=case_id)
    if case.is_hold_expired:
        workflow.expire_idle(cases.filter(pk=case_id))
        return cases.get(pk=case_id)
    return case


def attempt(request: HttpRequest, verb: "Callable[[], object]") -> bool:
    """Call a verb; a refusal becomes a message on the page. Says whether it was done."""
    try:
        verb()
    except REFUSALS as error:
        messages.error(request, str(error))
        return False
    return True


def comes_too_late(request: HttpRequest, case: Case) -> bool:
    """Whether something comes from who held the case: what they typed stays, beside the refusal."""
    return request.method == "POST" and case.reviews.filter(reader=reader(request)).exists()


def has_signed(request: HttpRequest, case: Case) -> bool:
    """Whether this person has signed the case: what is refused then is a form that came twice."""
    signed = Case.objects.filter(pk=case.pk, status=Case.Status.SIGNED)
    return signed.filter(reviewer=reader(request)).exists()


def may(user: User, case: Case) -> set[str]:
    """The verbs whose buttons the page shows: role and state allow them."""
    states = Case.Status
    wanted = {
        "prepare": case.status == states.DRAFT and permissions.can_prepare(user, case),
        "retry": case.status == states.FAILED and permissions.can_retry(user, case),
        "reclassify": case.status in (states.AWAITING_SCREENING, states.AWAITING_REVIEW)
        and permissions.can_reclassify(user, case),
        "claim": may_claim(user, case),
        "decide": case.status in Case.HELD and permissions.can_decide(user, case),
        "refer": case.status in (states.AWAITING_SCREENING, states.AWAITING_SIGNATURE)
        and permissions.can_refer(user, case),
        "sign_out": case.status == states.AWAITING_SIGNATURE and permissions.can_sign(user, case),
        "release": case.status in Case.HELD and permissions.can_release(user, case),
    }
    allowed = {verb for verb, is_allowed in wanted.items() if is_allowed}
    return allowed | _steps(case) if "decide" in allowed else allowed


def _steps(case: Case) -> set[str]:
    """The next step of who holds the case: their own read first, or the signature."""
    review = case.reviews.filter(ended_at=None).first()
    if review is None:  # it has ended since the case was looked up
        return set()
    if review.awaits_commit:
        return {"commit"}
    return {"conclude"} if case.status == Case.Status.SCREENING else {"sign"}


def may_claim(user: User, case: Case) -> bool:
    """Whether the claim of this person would be taken; rows of the worklist know who read them."""
    if case.status not in workflow.CLAIMS or not permissions.can_claim(user, case):
        return False
    if case.status != Case.Status.AWAITING_RESCREEN:
        return True
    known: bool | None = getattr(case, "was_read_by_me", None)
    return not (queries.has_read_first(case, user) if known is None else known)


def following(user: User, case: Case) -> Case | None:
    """The case to go on with after this one: one in hand, else the first due of the claimable."""
    open_cases = worklist.waiting(user, but=case)
    in_hand = open_cases.filter(status__in=Case.HELD, reviewer=user).first()
    if in_hand:
        return in_hand
    return open_cases.filter(worklist.claimable(user)).first()


def frame(request: HttpRequest, case: Case) -> dict[str, Any]:
    """What every page of a case shows around its subject, and what the person may see of it.

    That it was seen is on record (R18).
    """
    user = reader(request)
    audit.viewed(case, user)
    return {
        "section": "cases",
        "case": case,
        "seen": sight.of(user, case),
        "may": may(user, case),
        "heartbeat_every": settings.CLAIM_EXPIRES_AFTER / BEATS,
        "sees_identity": permissions.can_see_patient_identity(user),
        "comments": queries.comments(case, user),
        "specimen": bethesda.SpecimenType(case.specimen_type).label,
    }
