"""Who holds a case: heartbeat, expiry by the clock and by a look, and nobody overwritten."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from cases import clock, queries, tasks, workflow
from cases.models import Case
from cases.workflow import Decision, InvalidTransition
from tests import make
from tests.at_once import at_once
from tests.cases.api import as_person, url
from tests.make_accounts import PASSWORD

Status = Case.Status
IDLE = timedelta(seconds=31 * 60)

pytestmark = pytest.mark.django_db


def held_case(**fields):
    return make.case(Status.REVIEWING, images=1, **fields)


def abandoned_case(status=Status.REVIEWING):
    """A case whose holder has not been seen for half an hour and a minute."""
    case = make.case(status, images=1)
    held = {"held_since": clock.now() - IDLE, "held_until": clock.now() - timedelta(minutes=1)}
    Case.objects.filter(pk=case.pk).update(**held)
    case.refresh_from_db()
    return case


def colleague_of(case):
    return make.pathologist(laboratory=case.laboratory)


def test_a_claim_says_since_when_and_until_when_the_case_is_held(settings):
    settings.CLAIM_EXPIRES_AFTER = 600
    case = make.case(Status.AWAITING_REVIEW)
    before = clock.now()

    claimed = workflow.claim(case, colleague_of(case))

    assert claimed.held_since >= before
    assert (
        timedelta(seconds=599) < claimed.held_until - claimed.held_since <= timedelta(seconds=601)
    )
    assert claimed.holder == claimed.reviewer


def test_a_heartbeat_keeps_the_case_and_leaves_no_trace_in_the_trail():
    case = held_case()

    with clock.at(clock.now() + timedelta(minutes=20)):
        kept = workflow.heartbeat(case, case.reviewer)

    assert kept.held_until > case.held_until
    assert kept.held_since == case.held_since
    assert not case.events.exists()


def test_a_finding_is_a_sign_of_life_too():
    case = held_case()
    decision = Decision(image_id=case.images.get().pk, cell_class="Parabasal")

    with clock.at(clock.now() + timedelta(minutes=20)):
        workflow.decide(case, case.reviewer, [decision])

    held_until = case.held_until
    case.refresh_from_db()
    assert case.held_until > held_until


def test_nobody_keeps_a_case_that_a_colleague_holds():
    case = held_case()

    with pytest.raises(PermissionDenied, match=f"{case.reviewer.name} holds this case"):
        workflow.heartbeat(case, colleague_of(case))


def test_the_clock_takes_a_case_back_from_an_idle_holder_and_keeps_the_findings():
    case = abandoned_case()
    finding = make.finding(case, case.images.get())

    tasks.recover()

    holder = case.reviewer
    case.refresh_from_db()
    assert (case.status, case.reviewer) == (Status.AWAITING_REVIEW, None)
    assert (case.held_since, case.held_until) == (None, None)
    [event] = case.events.all()
    assert (event.action, event.actor) == ("expire", None)
    assert event.detail == {"held_by": holder.pk}
    workflow.claim(case, holder)
    case.refresh_from_db()
    assert list(queries.standing_findings(case)) == [finding]


def test_the_clock_leaves_a_case_with_a_holder_who_is_there():
    case = held_case()

    assert workflow.expire_idle() == 0

    with pytest.raises(InvalidTransition, match="shown themself again"):
        workflow.expire(case)


@pytest.mark.parametrize("name", ["case-detail", "worklist"])
def test_a_look_takes_a_case_back_from_an_idle_holder_where_no_clock_runs(client, name):
    case = abandoned_case()
    client.force_login(colleague_of(case))

    page = client.get(reverse(name, args=[] if name == "worklist" else [case.pk]))

    assert "Claim" in page.content.decode()
    case.refresh_from_db()
    assert case.status == Status.AWAITING_REVIEW


def test_the_api_takes_a_case_back_too_and_says_who_holds_it():
    case, abandoned = held_case(), abandoned_case()
    reader = as_person(colleague_of(case))

    held = reader.get(url("case-detail", case)).json()
    free = as_person(colleague_of(abandoned)).post(url("case-claim", abandoned)).json()

    assert held["holder"]["name"] == case.reviewer.name
    assert held["held_since"] is not None
    assert free["status"] == Status.REVIEWING
    assert free["holder"]["name"] != abandoned.reviewer.name


def test_a_heartbeat_over_the_api_says_how_long_is_left():
    case = held_case()

    answer = as_person(case.reviewer).post(url("case-heartbeat", case))

    assert answer.status_code == 200
    assert 1790 < answer.json()["seconds_left"] <= 1800


def test_a_heartbeat_that_comes_too_late_says_what_became_of_the_case():
    expired, taken = abandoned_case(), abandoned_case()
    late = [case.reviewer for case in (expired, taken)]
    workflow.expire(taken)
    colleague = colleague_of(taken)
    workflow.claim(taken, colleague)

    answers = [
        as_person(person).post(url("case-heartbeat", case))
        for person, case in zip(late, (expired, taken), strict=True)
    ]

    assert [answer.status_code for answer in answers] == [409, 403]
    assert "nobody holds it" in answers[0].json()["detail"]
    assert answers[1].json()["detail"] == f"{colleague.name} holds this case: nothing was changed."


def test_to_claim_a_case_that_a_colleague_holds_changes_nothing_and_names_them():
    case = held_case()

    with pytest.raises(InvalidTransition, match=f"{case.reviewer.name} holds it"):
        workflow.claim(case, colleague_of(case))

    holder = case.reviewer
    case.refresh_from_db()
    assert case.holder == holder


@pytest.mark.django_db(transaction=True)
def test_of_several_who_want_an_abandoned_case_at_once_one_gets_it():
    case = abandoned_case()
    people = [colleague_of(case) for _ in range(3)]

    def look_and_claim(person):
        workflow.expire_idle()
        workflow.claim(case, person)

    outcomes = at_once(
        [lambda person=person: look_and_claim(person) for person in people], (InvalidTransition,)
    )

    assert sorted(outcomes) == ["InvalidTransition", "InvalidTransition", "done"]
    assert [event.action for event in case.events.all()] == ["expire", "claim"]


def test_a_colleague_reads_on_the_page_who_holds_the_case_since_when(client):
    case = held_case()
    client.force_login(colleague_of(case))

    page = client.get(reverse("case-detail", args=[case.pk])).content.decode()

    since = case.held_since.strftime("%H:%M")
    assert f"{case.reviewer.name} holds this case" in page
    assert f">{since} UTC</time>" in page
    assert "data-hold" not in page
    assert reverse("case-claim", args=[case.pk]) not in page


def test_a_read_that_comes_too_late_to_be_committed_is_kept_in_its_form(client):
    case = abandoned_case(Status.SCREENING)
    make.finding(case, case.images.get())
    client.force_login(case.reviewer)
    typed = {"adequacy": "SAT", "interpretations": ["NILM"], "comment": "Typed with care."}

    page = client.post(reverse("case-read", args=[case.pk]), typed)

    assert page.status_code == 200
    assert "nobody holds it" in page.content.decode()
    assert "Typed with care." in page.content.decode()
    case.refresh_from_db()
    assert case.status == Status.AWAITING_SCREENING


def test_a_read_that_was_committed_in_another_tab_is_not_committed_by_this_one(client):
    case = make.case(Status.SCREENING, images=1)
    make.finding(case, case.images.get())
    workflow.commit(case, case.reviewer, make.NILM)
    client.force_login(case.reviewer)
    typed = {"adequacy": "SAT", "interpretations": ["NILM"], "comment": "Typed with care."}

    page = client.post(reverse("case-read", args=[case.pk]), typed)

    assert page.status_code == 200
    assert "Typed with care." in page.content.decode()
    assert case.reviews.get().committed_read["comment"] == ""


def test_a_blind_read_that_is_sent_twice_is_committed_once_and_not_concluded_unseen(client):
    case = make.case(Status.SCREENING, images=1)
    case.reviews.update(is_blind=True)
    make.finding(case, case.images.get())
    client.force_login(case.reviewer)
    typed = {"adequacy": "SAT", "interpretations": ["NILM"]}

    answers = [client.post(reverse("case-read", args=[case.pk]), typed) for _ in range(2)]

    assert [answer.url for answer in answers] == [reverse("case-detail", args=[case.pk])] * 2
    case.refresh_from_db()
    assert case.status == Status.SCREENING
    assert case.reviews.get().read is None


def test_a_signature_that_comes_too_late_is_refused_and_what_was_typed_is_kept(client):
    case = abandoned_case()
    make.finding(case, case.images.get())
    client.force_login(case.reviewer)
    typed = {"adequacy": "SAT", "interpretations": ["NILM"], "comment": "Typed with care."}

    page = client.post(
        reverse("case-sign", args=[case.pk]), typed | {"password": PASSWORD}
    ).content.decode()

    assert "nobody holds it" in page
    assert "Typed with care." in page
    case.refresh_from_db()
    assert case.status == Status.AWAITING_REVIEW
