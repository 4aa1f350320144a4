"""A passkey in a browser: set up, used at log-in and to sign, by Chromium's own authenticator."""

import re

import pytest

from accounts import events
from accounts.models import Factor
from cases.models import Case
from tests import make
from tests.make_accounts import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def authenticator(page):
    """A passkey device that always finds its owner present."""
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = device.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return device, made["authenticatorId"]


@pytest.fixture
def reader():
    return make.pathologist(name="Ada Sample")


def log_in(page, live_server, reader):
    page.goto(f"{live_server.url}/login/")
    page.get_by_label("E-mail address").fill(reader.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def set_up(page, live_server):
    page.goto(f"{live_server.url}/profile/factors/passkey/")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Make the passkey").click()
    page.get_by_role("heading", name="Your recovery codes").wait_for()


def log_out(page):
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login/")


def test_a_passkey_is_set_up_and_asked_for_at_log_in_and_to_sign(
    page, live_server, authenticator, reader
):
    case = make.case(Case.Status.REVIEWING, reviewer=reader, images=1)
    make.finding(case, case.images.get())
    make.display(case, case.images.get())
    log_in(page, live_server, reader)
    page.wait_for_url("**/cases/")
    set_up(page, live_server)
    log_out(page)

    log_in(page, live_server, reader)
    page.wait_for_url("**/login/factor/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/cases/")

    page.goto(f"{live_server.url}/cases/{case.pk}/sign/")
    page.get_by_text("no signing session is open").wait_for()
    page.locator("[name=adequacy][value=SAT]").check()
    page.locator("[name=interpretations][value=NILM]").check()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_text("The passkey is given.").wait_for()
    page.get_by_role("button", name="Sign the case").click()
    page.wait_for_url("**/report/")

    case.refresh_from_db()
    assert case.status == Case.Status.SIGNED
    sentences = [events.sentence(event) for event in events.recent(reader.laboratory)]
    assert "Ada Sample logged in with a password and a passkey" in sentences
    assert Factor.objects.get().counter > 1, "it has counted"


def test_without_the_device_nobody_logs_in_and_the_page_says_what_to_do(
    page, live_server, authenticator, reader
):
    device, identity = authenticator
    log_in(page, live_server, reader)
    page.wait_for_url("**/cases/")
    set_up(page, live_server)
    log_out(page)
    device.send("WebAuthn.clearCredentials", {"authenticatorId": identity})

    log_in(page, live_server, reader)
    page.get_by_role("button", name="Use a passkey").click()

    page.get_by_text("The browser gave no passkey").wait_for()
    page.get_by_label("Code").fill("AAAA-AAAA-AAAA-AAAA")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("That code is not right").first.wait_for()


def test_a_copied_passkey_whose_count_has_not_gone_on_is_refused(
    page, live_server, authenticator, reader
):
    log_in(page, live_server, reader)
    page.wait_for_url("**/cases/")
    set_up(page, live_server)
    log_out(page)
    Factor.objects.update(counter=1000)  # the other copy was used

    log_in(page, live_server, reader)
    page.get_by_role("button", name="Use a passkey").click()

    page.get_by_text("That passkey was not accepted").first.wait_for()


def test_what_a_passkey_answered_once_is_no_answer_again(page, live_server, authenticator, reader):
    log_in(page, live_server, reader)
    page.wait_for_url("**/cases/")
    set_up(page, live_server)
    log_out(page)
    posted = []
    page.on(
        "request", lambda sent: posted.append(sent.post_data) if sent.method == "POST" else None
    )
    log_in(page, live_server, reader)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/cases/")
    [answer] = [body for body in posted if body and "signature" in body]
    log_out(page)

    log_in(page, live_server, reader)
    page.wait_for_url("**/login/factor/")
    token = page.locator("[name=csrfmiddlewaretoken]").first.input_value()
    replayed = re.sub("csrfmiddlewaretoken=[^&]*", f"csrfmiddlewaretoken={token}", answer)
    response = page.request.post(
        f"{live_server.url}/login/factor/",
        data=replayed,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert "That passkey was not accepted" in response.text()
