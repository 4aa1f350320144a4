"""Who may do what to a case: pure questions about a user and a case, without queries of their own.

They speak of role, laboratory and holder; whether the case is in the right state is the workflow's
business.
"""

from accounts.models import Role, User
from accounts.permissions import (
    can_see_patient_identity,
    is_administrator,
    is_cytotechnologist,
    is_pathologist,
    is_senior_cytotechnologist,
)
from cases.models import Case
from cases.sight import Sight

__all__ = [
    "can_accession",
    "can_change_report",
    "can_claim",
    "can_decide",
    "can_erase_identity",
    "can_look_back",
    "can_prepare",
    "can_read",
    "can_reclassify",
    "can_record_histology",
    "can_refer",
    "can_release",
    "can_rescreen",
    "can_retry",
    "can_review",
    "can_screen",
    "can_see",
    "can_see_everybodys_reads",
    "can_see_file_names",
    "can_see_patient_identity",
    "can_see_reads",
    "can_see_views",
    "can_set_workload",
    "can_sign",
]


def can_see(user: User, case: Case) -> bool:
    return user.is_active and user.laboratory_id == case.laboratory_id


def can_accession(user: User) -> bool:
    return is_cytotechnologist(user)


def can_see_views(user: User, case: Case) -> bool:
    """Who looked at a case: for who supervises the laboratory, not for one colleague of another."""
    return can_see(user, case) and is_administrator(user)


def can_prepare(user: User, case: Case) -> bool:
    """Edit, fill and submit: who accessioned it, or a colleague once they no longer can."""
    is_theirs = case.accessioned_by_id == user.pk or not can_accession(case.accessioned_by)
    return can_see(user, case) and can_accession(user) and is_theirs


def can_see_file_names(user: User, case: Case, seen: Sight) -> bool:
    """With the model's output, as a name may tell a class; and who fills a draft needs them."""
    return seen.model or (case.status == Case.Status.DRAFT and can_prepare(user, case))


def can_retry(user: User, case: Case) -> bool:
    return can_see(user, case) and can_accession(user)


def can_reclassify(user: User, case: Case) -> bool:
    """Ask a newer model version: whoever works with the case's cells."""
    return can_see(user, case) and (is_cytotechnologist(user) or is_pathologist(user))


def can_review(user: User) -> bool:
    return is_pathologist(user)


def can_screen(user: User) -> bool:
    return is_cytotechnologist(user)


def can_rescreen(user: User) -> bool:
    """Never who read the case first, which the workflow knows (R6)."""
    return is_pathologist(user) or is_senior_cytotechnologist(user)


_READERS = {
    Case.Status.AWAITING_SCREENING: can_screen,
    Case.Status.SCREENING: can_screen,
    Case.Status.AWAITING_SIGNATURE: can_screen,
    Case.Status.AWAITING_RESCREEN: can_rescreen,
    Case.Status.RESCREENING: can_rescreen,
}


def can_read(user: User, case: Case) -> bool:
    """Whether the role is the one for the read that the case is in, or waits for."""
    role = _READERS.get(Case.Status(case.status), can_review)
    return can_see(user, case) and role(user)


can_claim = can_read


def can_decide(user: User, case: Case) -> bool:
    """Make and withdraw findings, commit and sign: the reader who holds the case."""
    return can_read(user, case) and case.reviewer_id == user.pk


can_sign = can_decide


def can_change_report(user: User, case: Case) -> bool:
    """Add to, amend or correct a released report: any pathologist, for its signer may be gone."""
    return can_see(user, case) and can_review(user)


def can_release(user: User, case: Case) -> bool:
    """The holder; a colleague too once the holder can sign no more, lest a case be stuck.

    Who was deactivated, or has another role since, can sign no more.
    """
    is_stuck = case.reviewer is not None and not can_read(case.reviewer, case)
    return can_read(user, case) and (case.reviewer_id == user.pk or is_stuck)


def can_refer(user: User, case: Case) -> bool:
    """Hand a case to the pathologists: one of them, or the screener who would sign it."""
    return can_see(user, case) and (can_review(user) or can_decide(user, case))


def can_look_back(user: User, case: Case) -> bool:
    """Answer a look-back and record histology: any pathologist of the laboratory."""
    return can_see(user, case) and can_review(user)


can_record_histology = can_look_back


def can_erase_identity(user: User, case: Case) -> bool:
    """Who answers for the laboratory to its patients, and sees no identity (R21)."""
    return can_see(user, case) and is_administrator(user)


def can_see_everybodys_reads(user: User) -> bool:
    """Who answers for the laboratory (R11)."""
    return is_pathologist(user) or is_administrator(user)


def can_see_reads(user: User, person: User) -> bool:
    """What a person read: for themself, and for who answers for the laboratory (R11)."""
    is_theirs = user.pk == person.pk
    return user.laboratory_id == person.laboratory_id and (
        is_theirs or can_see_everybodys_reads(user)
    )


def can_set_workload(user: User, person: User) -> bool:
    """A limit is a pathologist's judgement of somebody who reads (R9)."""
    is_reader = person.role in (Role.CYTOTECHNOLOGIST, Role.PATHOLOGIST)
    return is_pathologist(user) and user.laboratory_id == person.laboratory_id and is_reader
