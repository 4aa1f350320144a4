import pytest

from accounts import permissions
from accounts.models import Role, User

QUESTIONS = {
    permissions.is_cytotechnologist: {Role.CYTOTECHNOLOGIST},
    permissions.is_pathologist: {Role.PATHOLOGIST},
    permissions.is_administrator: {Role.ADMINISTRATOR},
    permissions.can_see_patient_identity: {Role.CYTOTECHNOLOGIST, Role.PATHOLOGIST},
    permissions.can_manage_people: {Role.ADMINISTRATOR},
    permissions.can_change_settings: {Role.ADMINISTRATOR},
}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.__name__)
def test_r20_what_each_role_may_do(question):
    answers = {role for role in Role if question(User(role=role))}

    assert answers == QUESTIONS[question]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.__name__)
def test_r19_r20_a_deactivated_person_may_do_nothing(question):
    assert not any(question(User(role=role, is_active=False)) for role in Role)


ADMINISTRATOR = {"pk": 1, "laboratory_id": 1, "role": Role.ADMINISTRATOR}
COLLEAGUE = {"pk": 2, "laboratory_id": 1, "role": Role.PATHOLOGIST}
STRANGER = {"pk": 3, "laboratory_id": 2, "role": Role.PATHOLOGIST}


@pytest.mark.parametrize(
    ("question", "actor", "subject", "answer"),
    [
        (permissions.can_manage, ADMINISTRATOR, COLLEAGUE, True),
        (permissions.can_manage, ADMINISTRATOR, ADMINISTRATOR, True),
        (permissions.can_manage, ADMINISTRATOR, STRANGER, False),
        (permissions.can_manage, COLLEAGUE, ADMINISTRATOR, False),
        (permissions.can_change_role, ADMINISTRATOR, COLLEAGUE, True),
        (permissions.can_change_role, ADMINISTRATOR, ADMINISTRATOR, False),
        (permissions.can_change_role, ADMINISTRATOR, STRANGER, False),
        (permissions.can_change_role, COLLEAGUE, COLLEAGUE, False),
        (permissions.can_issue_reset_link, ADMINISTRATOR, COLLEAGUE, True),
        (permissions.can_issue_reset_link, ADMINISTRATOR, COLLEAGUE | {"is_active": False}, False),
        (permissions.can_issue_reset_link, ADMINISTRATOR, STRANGER, False),
        (permissions.can_issue_reset_link, ADMINISTRATOR, ADMINISTRATOR, False),
    ],
)
def test_r17_r20_who_may_do_what_to_whom(question, actor, subject, answer):
    assert question(User(**actor), User(**subject)) == answer
