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


def log_in(client, email, password="not it"):  # noqa: S107
    return client.post("/login/", {"username": email, "password": password})


def arrivals(laboratory):
    return [events.sentence(one) for one in reversed(events.recent(laboratory, "arrivals"))]


@pytest.mark.django_db
def test_r18_a_failed_log_in_is_an_event_of_the_account(client):
    person = make.pathologist(name="Ada Sample")

    log_in(client, person.email)
    log_in(client, person.email, make.PASSWORD)

    assert arrivals(person.laboratory) == [
        "Somebody gave a wrong password for Ada Sample at log-in",
        "Ada Sample logged in with a password",
    ]
    [_, failed] = events.recent(person.laboratory)
    assert (failed.actor, failed.subject) == (None, person)


@pytest.mark.django_db
def test_r18_a_lock_out_is_an_event_and_what_is_tried_meanwhile_is_none(client):
    person = make.pathologist(name="Ada Sample")

    for _ in range(8):
        log_in(client, person.email)

    failure = "Somebody gave a wrong password for Ada Sample at log-in"
    locked_out = "Ada Sample was locked out after 5 failures"
    assert arrivals(person.laboratory) == [*[failure] * 5, locked_out]


@pytest.mark.django_db
def test_a_failure_of_an_unknown_address_is_in_no_laboratorys_record(client):
    make.administrator()

    log_in(client, "nobody@example.org")

    assert not AccountEvent.objects.exists()


@pytest.mark.django_db
def test_the_page_of_events_tells_log_ins_and_changes_apart(client):
    administrator = make.administrator(name="Grace Hopper")
    log_in(client, administrator.email)
    events.record(Action.PASSWORD_CHANGED, administrator.laboratory, administrator, administrator)
    client.force_login(administrator)
    told = {"": (True, True), "arrivals": (True, False), "changes": (False, True)}

    for only, expected in told.items():
        page = client.get("/laboratory/people/events/", {"only": only}).text
        assert ("wrong password for Grace" in page, "changed their password" in page) == expected
    people = client.get("/laboratory/people/").text
    assert "wrong password for Grace" not in people
    assert "changed their password" in people
