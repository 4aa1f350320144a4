"""What a role may do: pure questions about people, without queries, requests or exceptions."""

from accounts.models import Role, User


def is_cytotechnologist(user: User) -> bool:
    return user.is_active and user.role == Role.CYTOTECHNOLOGIST


def is_pathologist(user: User) -> bool:
    return user.is_active and user.role == Role.PATHOLOGIST


def is_senior_cytotechnologist(user: User) -> bool:
    return is_cytotechnologist(user) and user.is_senior


def is_administrator(user: User) -> bool:
    return user.is_active and user.role == Role.ADMINISTRATOR


def can_see_patient_identity(user: User) -> bool:
    """Only those who read slides; an administrator sees pseudonyms (R21)."""
    return is_cytotechnologist(user) or is_pathologist(user)


def can_manage_people(user: User) -> bool:
    return is_administrator(user)


def can_change_settings(user: User) -> bool:
    return is_administrator(user)


def can_manage(user: User, subject: User) -> bool:
    """People of one's own laboratory; nobody reaches over its border."""
    return can_manage_people(user) and subject.laboratory_id == user.laboratory_id


def can_change_role(user: User, subject: User) -> bool:
    """Nobody gives themselves another role: that takes a second administrator."""
    return can_manage(user, subject) and subject.pk != user.pk


def can_change_seniority(user: User, subject: User) -> bool:
    """Only a cytotechnologist can be a senior one."""
    return can_manage(user, subject) and subject.role == Role.CYTOTECHNOLOGIST


def can_issue_reset_link(user: User, subject: User) -> bool:
    """Never for oneself: whoever finds an open session would need no password to take it over."""
    return can_manage(user, subject) and subject.is_active and subject.pk != user.pk


def can_reset_factors(user: User, subject: User) -> bool:
    """Never one's own: a found session would be enough to be rid of what protects the account."""
    return can_manage(user, subject) and subject.pk != user.pk
