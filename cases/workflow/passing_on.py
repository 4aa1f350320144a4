"""Passing a case on: to a named colleague, or back to who has to mend it, with words."""

from datetime import timedelta

from django.db.transaction import atomic

from accounts.models import User
from cases import audit, clock, permissions, queries
from cases.models import Case, Comment, Review
from cases.workflow.holding import let_go, require_holder
from cases.workflow.review import begin_read
from cases.workflow.transition import Refused, locked, one_of

LONGEST_COMMENT = 2000  # characters
KEPT_FOR = timedelta(hours=24)  # until the colleague shows up; then a claim lasts as ever
Status = Case.Status
_SENDS_BACK: dict[str, str] = dict.fromkeys((Status.SCREENING, Status.REVIEWING), Status.DRAFT)


def hand_over(case: Case, user: User, to: User, comment: str = "") -> Case:
    """Give a case that one holds to a colleague, who holds it from now on.

    They read it with findings of their own; those of who handed it over are kept.
    """
    with atomic():
        case = locked(case, "hand over", *Case.HELD)
        require_holder(case, user)
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


def send_back(case: Case, user: User, comment: str) -> Case:
    """Give a case back for rework to who accessioned it, and say what has to be mended.

    It is a draft again: facts can be mended and images added; what was classified and found stays.
    """
    with one_of(case, "send_back", _SENDS_BACK, user) as (case, detail):
        require_holder(case, user)
        if not comment.strip():
            raise Refused("Say what has to be mended.")
        to = case.accessioned_by
        said = _say(case, user, to, Comment.Reason.SEND_BACK, comment)
        detail["to"] = to.pk
        detail["comment"] = said.pk
        let_go(case)
        case.sent_back_to = to
    return case


def _say(case: Case, user: User, to: User, reason: str, comment: str) -> Comment:
    text = comment.strip()
    if "\0" in text:
        raise Refused("The comment has a character in it that cannot be stored.")
    if len(text) > LONGEST_COMMENT:
        raise Refused(f"The comment is longer than {LONGEST_COMMENT} characters.")
    return Comment.objects.create(
        case=case, reason=reason, author=user, to=to, text=text, at=clock.now()
    )
