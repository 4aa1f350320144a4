import pytest

from accounts import events
from accounts.events import Action
from accounts.models import AccountEvent
from tests import make_accounts as make


@pytest.mark.parametrize("action", Action)
def test_every_action_has_a_sentence(action):
    assert events.SENTENCES[action]


@pytest.mark.django_db
def test_a_changed_role_is_told_in_plain_language():
    administrator = make.administrator(name="Grace {0} Hopper")
    person = make.pathologist(name="Ada Sample", laboratory=administrator.laboratory)
    event = events.record(
        Action.ROLE_CHANGED,
        person.laboratory,
        administrator,
        person,
        changes={"role": ("cytotechnologist", "pathologist")},
    )

    told = events.sentence(event)

    assert told == (
        "Grace {0} Hopper changed the role of Ada Sample from cytotechnologist to pathologist"
    )


@pytest.mark.django_db
def test_an_invitation_is_told_with_name_address_and_role():
    administrator = make.administrator(name="Grace Hopper")
    event = events.record(
        Action.INVITED,
        administrator.laboratory,
        administrator,
        name="Ada",
        email="ada@example.org",
        role="pathologist",
    )

    assert events.sentence(event) == "Grace Hopper invited Ada (ada@example.org) as pathologist"


@pytest.mark.django_db
def test_the_events_of_another_laboratory_are_not_told():
    mine, theirs = make.administrator(), make.administrator()
    for person in (mine, theirs):
        events.record(Action.PASSWORD_CHANGED, person.laboratory, person, person)

    assert [event.actor for event in events.recent(mine.laboratory)] == [mine]
    assert AccountEvent.objects.count() == 2
