"""R15: everything is asked for to sign, and within an unbroken signing session the password."""

from datetime import timedelta
from unittest import mock

import pytest
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone
from rest_framework.request import Request as ApiRequest

from accounts import lockout
from accounts.arrival import arrive
from accounts.authentication import WrongCode, WrongPassword, asked, reauthenticate
from accounts.tokens import ApiTokenAuthentication, make_token
from cases.models import Case
from tests import make
from tests.accounts.test_second_factor import begin, code, give, with_app
from tests.make_accounts import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader():
    person = make.pathologist()
    with_app(person)
    return person


@pytest.fixture
def browser(client, reader):
    """The client of who has just logged in with both."""
    begin(client, reader)
    give(client, code())
    return client


def request_of(client, person):
    request = RequestFactory().post("/cases/sign/")
    request.user, request.session = person, client.session
    return request


def later(minutes):
    moment = timezone.now() + timedelta(minutes=minutes)
    return mock.patch.object(timezone, "now", return_value=moment)


def test_r15_the_first_signature_asks_for_password_and_second_factor(browser, reader):
    request = request_of(browser, reader)
    assert asked(request).factor

    with pytest.raises(WrongCode, match="Give a code"):
        reauthenticate(request, PASSWORD)
    with pytest.raises(WrongCode, match="not right, or was used"):
        reauthenticate(request, PASSWORD, code="123456")
    with pytest.raises(WrongPassword, match="not your password"):
        reauthenticate(request, "wrong", code=code(1))
    proof = reauthenticate(request, PASSWORD, code=code(1))

    assert (proof.user_id, proof.method) == (reader.pk, "password and a code")


def test_r15_within_the_signing_session_the_password_alone_is_enough_and_is_asked_for(
    browser, reader
):
    request = request_of(browser, reader)
    reauthenticate(request, PASSWORD, code=code(1))

    with later(29):
        assert not asked(request).factor
        assert reauthenticate(request, PASSWORD).method == "password"
        with pytest.raises(WrongPassword):
            reauthenticate(request, "wrong")


def test_r15_after_the_session_everything_is_asked_for_again(browser, reader):
    request = request_of(browser, reader)
    reauthenticate(request, PASSWORD, code=code(1))

    with later(29):
        reauthenticate(request, PASSWORD)  # which does not lengthen it
    with later(30):
        assert asked(request).factor
        with pytest.raises(WrongCode):
            reauthenticate(request, PASSWORD)


def test_r15_the_laboratory_says_how_long_a_signing_session_is(browser, reader):
    request = request_of(browser, reader)
    reauthenticate(request, PASSWORD, code=code(1))
    reader.laboratory.signing_minutes = 5

    with later(6):
        assert asked(request).factor


def test_r15_after_a_new_log_in_everything_is_asked_for_again(browser, reader):
    request = request_of(browser, reader)
    reauthenticate(request, PASSWORD, code=code(1))
    request.session.save()
    assert not asked(request_of(browser, reader)).factor

    browser.post("/logout/")
    with later(1):
        begin(browser, reader)
        assert give(browser, code()).url == "/cases/"

    assert asked(request_of(browser, reader)).factor


def test_r15_logging_in_over_an_open_session_ends_its_signing_session(browser, reader):
    request = request_of(browser, reader)
    reauthenticate(request, PASSWORD, code=code(1))

    arrive(request, reader, "password and a code", gave_factor=True)

    assert asked(request).factor


def test_r15_after_idle_time_everything_is_asked_for_again(browser, reader):
    request = request_of(browser, reader)
    reauthenticate(request, PASSWORD, code=code(1))
    request.session.save()

    assert browser.get("/cases/").status_code == 200
    with later(16):
        assert browser.get("/cases/").status_code == 302
        begin(browser, reader)
        assert give(browser, code()).url == "/cases/"

    assert asked(request_of(browser, reader)).factor


def test_a_wrong_code_when_signing_counts_towards_the_lock_out_and_the_right_one_forgets(
    browser, reader
):
    request = request_of(browser, reader)
    for _ in range(2):
        with pytest.raises(WrongCode):
            reauthenticate(request, PASSWORD, code="123456")
    assert lockout.failures_of(reader.email).count == 2

    reauthenticate(request, PASSWORD, code=code(1))

    assert lockout.failures_of(reader.email).count == 0


def test_the_right_password_does_not_forget_wrong_codes_when_signing(browser, reader):
    request = request_of(browser, reader)
    for _ in range(5):
        with pytest.raises(WrongCode):
            reauthenticate(request, PASSWORD, code="123456")

    with pytest.raises(WrongPassword, match="not accepted until"):
        reauthenticate(request, PASSWORD, code=code(1))


def test_r15_a_program_with_a_token_has_no_signing_session_not_even_a_browsers(browser, reader):
    _, secret = make_token(reader, "a program")
    signing = request_of(browser, reader)
    reauthenticate(signing, PASSWORD, code=code(1))

    def request():
        sent = RequestFactory().post("/api/", headers={"Authorization": f"Token {secret}"})
        sent.session = signing.session  # with the cookies of the browser
        made = ApiRequest(sent, authenticators=[ApiTokenAuthentication()])
        assert made.user == reader
        return made

    with pytest.raises(WrongCode):
        reauthenticate(request(), PASSWORD)
    with later(1):
        assert reauthenticate(request(), PASSWORD, code=code()).method == "password and a code"


def test_r15_who_has_no_second_factor_is_asked_for_the_password_alone(client):
    person = make.pathologist()
    client.force_login(person)

    assert not asked(request_of(client, person)).factor
    assert reauthenticate(request_of(client, person), PASSWORD).method == "password"


# ── The page and the API that sign ───────────────────────────────────────────────────────────────


NILM = {"adequacy": "SAT", "interpretations": ["NILM"]}


@pytest.fixture
def case(reader):
    made = make.case(Case.Status.REVIEWING, reviewer=reader, images=1)
    make.finding(made, made.images.get())
    make.display(made, made.images.get())
    return made


def test_r15_the_page_says_what_is_asked_for_and_why(browser, case, reader):
    address = reverse("case-sign", args=[case.pk])
    before = browser.get(address).text
    assert "no signing session is open" in before
    assert 'name="code"' in before

    refused = browser.post(address, NILM | {"password": PASSWORD})
    assert "Give a code of your app" in refused.text
    unfinished = {"adequacy": "SAT", "password": PASSWORD, "code": code(1)}
    assert browser.post(address, unfinished).status_code == 200
    within = browser.get(address).text

    assert 'name="code"' not in within
    assert "Your password is enough until" in within


def test_r15_signing_takes_the_code_on_the_page(browser, case):
    address = reverse("case-sign", args=[case.pk])

    answer = browser.post(address, NILM | {"password": PASSWORD, "code": code(1)})

    assert answer.url == reverse("case-report", args=[case.pk])


def test_r15_signing_takes_the_code_in_the_api(client, case, reader):
    _, secret = make_token(reader, "a program")
    address = reverse("api-case-sign", kwargs={"case_id": case.pk})

    def sign(**given):
        return client.post(
            address,
            NILM | {"password": PASSWORD} | given,
            content_type="application/json",
            headers={"Authorization": f"Token {secret}"},
        )

    refused = sign()
    assert (refused.status_code, "Give a code" in refused.json()["detail"]) == (403, True)
    assert sign(code=code()).status_code == 200


def test_where_a_second_factor_is_required_a_token_does_not_sign_without_one(client):
    person = make.pathologist(laboratory=make.laboratory(requires_second_factor=True))
    case = make.case(Case.Status.REVIEWING, reviewer=person, images=1)
    make.finding(case, case.images.get())
    _, secret = make_token(person, "a program")

    refused = client.post(
        reverse("api-case-sign", kwargs={"case_id": case.pk}),
        NILM | {"password": PASSWORD},
        content_type="application/json",
        headers={"Authorization": f"Token {secret}"},
    )

    assert refused.status_code == 403
    assert "requires a second factor to sign" in refused.json()["detail"]
    case.refresh_from_db()
    assert case.status == Case.Status.REVIEWING


def test_the_page_tells_password_managers_whose_password_it_is(browser, case, reader):
    page = browser.get(reverse("case-sign", args=[case.pk])).text

    assert f'name="username" value="{reader.email}" autocomplete="username" readonly hidden' in page
    assert 'autocomplete="current-password"' in page
    assert 'autocomplete="one-time-code"' in page
