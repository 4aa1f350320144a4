"""Passing a case on: to a named colleague, or back to who has to mend it, with words."""

from datetime import timedelta

from django.db.transaction import atomic

from accounts.models import User
from cases import audit, clock, permissions, queries
from cases.models import Case, Comment, Review
from cases.workflow import words
from cases.workflow.holding import let_go, require_holder
from cases.workflow.review import begin_read
from cases.workflow.transition import Refused, locked, move, require

LONGEST_COMMENT = 2000  # characters
KEPT_FOR = timedelta(hours=24)  # until the colleague shows up; then a claim lasts as ever
Status = Case.Status
_NOT_YOURS = "Only who reads a case passes it on."


def hand_over(case: Case, user: User, to: User, comment: str = "") -> Case:
    """Give a case that one holds to a colleague, who holds it from now on.

    They read it with findings of their own; those of who handed it over are kept.
    """
    with atomic():
        case = locked(case, "hand over", *Case.HELD)
        require_holder(case, user)
        require(permissions.can_decide(user, case), _NOT_YOURS)
        if to == user:
            raise Refused("You hold this case already.")
        if not permissions.can_claim(to, case):
            raise Refused(f"{to.name} cannot read this case: choose a colleague who can.")
        kind = Review.Kind(queries.open_review(case).kind)
        let_go(case)
        begin_read(case, to, kind)
        case.held_since = clock.now()
        case.held_until = case.held_since + KEPT_FOR
        case.save()
        said = _say(case, user, to, Comment.Reason.HAND_OVER, comment)
        audit.record(case, user, "hand_over", to=to.pk, comment=said.pk)
    return case


def send_back(case: Case, user: User, comment: str, screener: User | None = None) -> Case:
    """Give a case back and say what has to be mended; what was classified and found stays.

    To who accessioned it, as a draft again: facts can be mended and images added. Or, from a
    pathologist, to a ``screener``: the screening that there was is kept as it is, and this
    cytotechnologist is asked for another one, which a colleague may do in their place.
    """
    with atomic():
        case = locked(case, "send back", Status.SCREENING, Status.REVIEWING)
        require_holder(case, user)
        require(permissions.can_decide(user, case), _NOT_YOURS)
        if not comment.strip():
            raise Refused("Say what has to be mended.")
        if screener:
            _supersede_screening(case, screener)
        let_go(case)
        to = case.sent_back_to = screener or case.accessioned_by
        said = _say(case, user, to, Comment.Reason.SEND_BACK, comment)
        target = Status.AWAITING_SCREENING if screener else Status.DRAFT
        asked = {"for": "screening"} if screener else {}
        move(case, user, "send_back", target, to=to.pk, comment=said.pk, **asked)
    return case


def _supersede_screening(case: Case, screener: User) -> None:
    """Lock the screening that there was for good: another one takes its place."""
    if case.status != Status.REVIEWING:
        raise Refused("Only the pathologist who reads a case asks for another screening.")
    screened = queries.first_read(case)
    if screened is None:
        raise Refused("Nobody has screened this case: send it back for preparation.")
    if not (permissions.can_see(screener, case) and permissions.can_screen(screener)):
        raise Refused(f"{screener.name} cannot screen this case: choose a colleague who can.")
    screened.superseded_at = clock.now()
    screened.save(update_fields=["superseded_at"])


def _say(case: Case, user: User, to: User, reason: str, comment: str) -> Comment:
    text = words.kept(comment, "comment", LONGEST_COMMENT)
    return Comment.objects.create(
        case=case, reason=reason, author=user, to=to, text=text, at=clock.now()
    )
