"""Who may do what to a case: pure questions about a user and a case, without queries of their own.

They speak of role, laboratory and holder; whether the case is in the right state is the workflow's
business.
"""

from accounts.models import User
from accounts.permissions import can_see_patient_identity, is_cytotechnologist, is_pathologist
from cases.models import Case

__all__ = [
    "can_accession",
    "can_change_report",
    "can_claim",
    "can_decide",
    "can_prepare",
    "can_reclassify",
    "can_release",
    "can_retry",
    "can_review",
    "can_see",
    "can_see_patient_identity",
    "can_sign",
]


def can_see(user: User, case: Case) -> bool:
    return user.is_active and user.laboratory_id == case.laboratory_id


def can_accession(user: User) -> bool:
    return is_cytotechnologist(user)


def can_prepare(user: User, case: Case) -> bool:
    """Edit, fill and submit: who accessioned it, or a colleague once they no longer can."""
    is_theirs = case.accessioned_by_id == user.pk or not can_accession(case.accessioned_by)
    return can_see(user, case) and can_accession(user) and is_theirs


def can_retry(user: User, case: Case) -> bool:
    return can_see(user, case) and can_accession(user)


def can_reclassify(user: User, case: Case) -> bool:
    """Ask a newer model version: whoever works with the case's cells."""
    return can_see(user, case) and (is_cytotechnologist(user) or is_pathologist(user))


def can_review(user: User) -> bool:
    return is_pathologist(user)


def can_claim(user: User, case: Case) -> bool:
    return can_see(user, case) and can_review(user)


def can_decide(user: User, case: Case) -> bool:
    """Make and withdraw findings, and sign: the pathologist who holds the case."""
    return can_claim(user, case) and case.reviewer_id == user.pk


can_sign = can_decide


def can_change_report(user: User, case: Case) -> bool:
    """Add to, amend or correct a released report: any pathologist, for its signer may be gone."""
    return can_see(user, case) and can_review(user)


def can_release(user: User, case: Case) -> bool:
    """The holder; another pathologist too once the holder can sign no more, lest a case be stuck.

    Who was deactivated, or has another role since, can sign no more.
    """
    is_stuck = case.reviewer is not None and not can_review(case.reviewer)
    return can_claim(user, case) and (case.reviewer_id == user.pk or is_stuck)
