from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.utils import timezone

from accounts import lockout
from tests import make_accounts as make

pytestmark = pytest.mark.django_db

SENTENCE = "Too many failed log-ins"
WRONG = "a password of someone else"
GENERIC = "do not match an active account"


def log_in(client, email, password=WRONG, **headers):
    return client.post("/login/", {"username": email, "password": password}, **headers)


def test_r20_after_five_failures_even_the_right_password_is_refused(client):
    person = make.user()

    pages = [log_in(client, person.email) for _ in range(5)]
    after = log_in(client, person.email, make.PASSWORD)

    assert [page.status_code for page in pages] == [200, 200, 200, 200, 429]
    assert after.status_code == 429
    assert SENTENCE in after.text
    assert "15 minutes" in after.text
    assert "_auth_user_id" not in client.session


def test_r20_before_the_fifth_failure_the_right_password_still_works(client):
    person = make.user()
    for _ in range(4):
        log_in(client, person.email)

    answer = log_in(client, person.email, make.PASSWORD)

    assert answer.status_code == 302
    assert lockout.failures_of(person.email).count == 0


def test_the_answers_are_the_same_whether_the_address_exists_or_is_active(client):
    there, gone = make.user(), make.user(is_active=False)
    emails = [there.email, gone.email, "nobody@example.org"]

    answers = {email: [log_in(client, email) for _ in range(6)] for email in emails}

    for pages in zip(*answers.values(), strict=True):
        assert len({page.status_code for page in pages}) == 1
    assert all(GENERIC in pages[0].text for pages in answers.values())
    assert all(SENTENCE in pages[-1].text for pages in answers.values())


def test_an_inactive_person_gets_the_generic_sentence_for_the_right_password(client):
    gone = make.user(is_active=False)

    answer = log_in(client, gone.email, make.PASSWORD)

    assert GENERIC in answer.text


def test_r20_every_spelling_and_every_browser_count_together(client):
    person = make.user(email="ada@example.org")

    for number, email in enumerate(["ada@example.org", "ADA@example.org", " Ada@Example.ORG "] * 2):
        answer = log_in(client, email, HTTP_USER_AGENT=f"browser {number}", REMOTE_ADDR="10.0.0.9")

    assert answer.status_code == 429
    assert lockout.failures_of(person.email).locked_until is not None


def test_r20_the_lock_ends_after_fifteen_minutes_even_if_someone_keeps_trying(client):
    person = make.user()
    for _ in range(5):
        log_in(client, person.email)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    assert log_in(client, person.email, make.PASSWORD).status_code == 429

    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))

    assert lockout.failures_of(person.email) == lockout.Failures(0, None)
    assert log_in(client, person.email, make.PASSWORD).status_code == 302


def test_r20_trying_while_locked_does_not_lengthen_the_lock(client):
    person = make.user()
    for _ in range(5):
        log_in(client, person.email)
    until = lockout.failures_of(person.email).locked_until

    for _ in range(3):
        log_in(client, person.email)

    assert lockout.failures_of(person.email) == lockout.Failures(5, until)


def test_the_end_of_the_lock_is_told_by_the_failures_that_still_count():
    person = make.user()
    now = timezone.now()
    for minutes, count in [(14, 3), (10, 2), (5, 1)]:
        attempt = AccessAttempt.objects.create(
            username=person.email,
            ip_address="10.0.0.1",
            user_agent=f"browser {minutes}",
            failures_since_start=count,
        )
        attempt.attempt_time = now - timedelta(minutes=minutes)
        attempt.save()

    counted = lockout.failures_of(person.email)

    assert counted.count == 6
    assert counted.locked_until == now - timedelta(minutes=14) + timedelta(minutes=15)


def test_the_failures_of_many_are_one_query(django_assert_num_queries):
    emails = [make.user().email for _ in range(3)]

    with django_assert_num_queries(1):
        assert lockout.failures(emails) == {}


def test_no_password_is_written_down(client):
    person = make.user()

    log_in(client, person.email, "a secret they mistyped")

    assert "mistyped" not in str(vars(AccessAttempt.objects.get()))
