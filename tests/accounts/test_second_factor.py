"""The second factor: set up, asked for at log-in, each proof once, lost and reset."""

import re
from datetime import timedelta
from unittest import mock

import pyotp
import pytest
from django.db import connection
from django.utils import timezone

from accounts import encryption, events, factors, lockout
from accounts.models import Factor, RecoveryCode, User
from tests import make_accounts as make
from tests.at_once import at_once

pytestmark = pytest.mark.django_db

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code(steps=0, secret=SECRET):
    """The code that an app shows, so many steps of thirty seconds from now."""
    return pyotp.TOTP(secret).at(timezone.now() + timedelta(seconds=30 * steps))


def with_app(person):
    """Give a person an app of which no code was used lately; returns their recovery codes."""
    codes = factors.add_app(person, name="Phone", secret=SECRET, code=code())
    Factor.objects.filter(user=person).update(counter=0)
    person.refresh_from_db()
    return codes


def begin(client, person):
    return client.post("/login/", {"username": person.email, "password": make.PASSWORD})


def give(client, given):
    return client.post("/login/factor/", {"code": given})


def told(laboratory):
    return [events.sentence(event) for event in reversed(events.recent(laboratory))]


def is_logged_in(client):
    return "_auth_user_id" in client.session


# ── Log-in ───────────────────────────────────────────────────────────────────────────────────────


def test_the_password_alone_does_not_log_in_who_has_a_second_factor(client):
    person = make.pathologist()
    with_app(person)

    answer = begin(client, person)

    assert answer.url == "/login/factor/"
    assert not is_logged_in(client)
    assert client.get("/cases/").url.startswith("/login/")
    assert "Your second factor" in client.get("/login/factor/").text


def test_a_code_of_the_app_completes_the_log_in_and_leads_where_one_wanted(client):
    person = make.pathologist(name="Ada Sample")
    with_app(person)
    client.post(
        "/login/", {"username": person.email, "password": make.PASSWORD, "next": "/profile/"}
    )

    answer = give(client, code())

    assert answer.url == "/profile/"
    assert is_logged_in(client)
    assert told(person.laboratory)[-1] == "Ada Sample logged in with a password and a code"


def test_spaces_and_a_clock_half_a_minute_off_do_no_harm(client):
    person = make.pathologist()
    with_app(person)
    begin(client, person)
    late = code(1)

    assert give(client, f" {late[:3]} {late[3:]} ").status_code == 302


@pytest.mark.parametrize(
    "given", ["", "000", "abcdef", "0" * 40, "\uff11" * 6, "AAAA-AAAA-AAAA-AAAA"]
)
def test_what_is_no_code_is_refused_with_a_sentence(client, given):
    person = make.pathologist()
    with_app(person)
    begin(client, person)

    page = give(client, given)

    assert page.status_code == 200
    assert "code" in page.text
    assert not is_logged_in(client)


def test_a_code_that_was_used_is_refused_and_so_is_every_earlier_one(client):
    person = make.pathologist()
    with_app(person)
    now, before = code(), code(-1)
    begin(client, person)
    give(client, now)
    client.post("/logout/")

    for used in (now, before):
        begin(client, person)
        assert "was used" in give(client, used).text
        assert not is_logged_in(client)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_give_the_same_code_at_once_one_is_recognised():
    person = make.pathologist()
    with_app(person)
    given = code()
    recognised = []

    at_once([lambda: recognised.append(factors.recognise(person, factors.Answer(given)))] * 4)

    assert sorted(recognised) == [False, False, False, True]


def test_a_recovery_code_is_good_once(client):
    person = make.pathologist(name="Ada Sample")
    recovery = with_app(person)
    assert len(set(recovery)) == 10
    begin(client, person)

    assert give(client, recovery[3].lower().replace("-", " ")).status_code == 302
    assert told(person.laboratory)[-1] == "Ada Sample logged in with a password and a recovery code"
    client.post("/logout/")
    begin(client, person)
    assert "was used" in give(client, recovery[3]).text
    assert give(client, recovery[4]).status_code == 302


def test_r20_wrong_codes_lock_out_like_wrong_passwords(client):
    person = make.pathologist(name="Ada Sample")
    with_app(person)
    begin(client, person)

    pages = [give(client, "123 456") for _ in range(6)]

    assert "Try again" in pages[3].text
    assert "not accepted until" in pages[4].text
    assert lockout.failures_of(person.email).locked_until is not None
    assert not give(client, code()).has_header("Location"), "the right code comes too late"
    assert begin(client, person).status_code == 429
    wrong = "Somebody gave a wrong code for Ada Sample at log-in"
    assert told(person.laboratory)[1:] == [
        *[wrong] * 5,
        "Ada Sample was locked out after 5 failures",
    ]


def test_the_right_password_does_not_forget_wrong_codes(client):
    person = make.pathologist()
    with_app(person)
    for _ in range(4):
        begin(client, person)
        give(client, "000000")

    begin(client, person)
    give(client, "000000")

    assert lockout.failures_of(person.email).locked_until is not None


def test_the_second_step_without_the_first_is_not_there(client):
    make.pathologist()

    assert client.get("/login/factor/").url == "/login/"
    assert give(client, code()).url == "/login/"
    assert client.post("/login/passkey/").status_code == 403


@pytest.mark.parametrize("change", ["late", "password", "inactive"])
def test_the_second_step_is_void_once_the_first_no_longer_holds(client, change):
    person = make.pathologist()
    with_app(person)
    begin(client, person)
    if change == "password":
        person.set_password("another good password")
        person.save()
    elif change == "inactive":
        User.objects.filter(pk=person.pk).update(is_active=False)
    later = timezone.now() + timedelta(minutes=11 if change == "late" else 0)

    with mock.patch.object(timezone, "now", return_value=later):
        assert give(client, code()).url == "/login/"


# ── Setting up ───────────────────────────────────────────────────────────────────────────────────


def shown_secret(page):
    return re.search(r"<code>([A-Z2-7 ]+)</code>", page.text).group(1).replace(" ", "")


def set_up(client, **changes):
    secret = shown_secret(client.get("/profile/factors/app/"))
    given = {"name": "My phone", "first_code": code(0, secret), "password": make.PASSWORD}
    return secret, client.post("/profile/factors/app/", given | changes)


def test_an_app_is_set_up_with_a_code_of_it_and_gives_recovery_codes_once(client):
    person = make.pathologist(name="Ada Sample")
    client.force_login(person)

    secret, page = set_up(client)

    codes = re.findall(r"<code>([A-Z2-9]{4}(?:-[A-Z2-9]{4}){3})</code>", page.text)
    assert len(codes) == 10
    [factor] = person.factors.all()
    assert (factor.name, factor.kind) == ("My phone", "code")
    assert encryption.decrypt(factor.sealed) == secret
    assert told(person.laboratory) == [
        "Ada Sample set up a second factor: the authenticator app “My phone”"
    ]
    page = client.get("/profile/factors/").text
    assert "10 recovery codes left" in page
    assert codes[0] not in page
    assert secret not in page


def test_neither_secrets_nor_recovery_codes_are_in_the_database_in_clear(client):
    person = make.pathologist()
    client.force_login(person)
    secret, page = set_up(client)
    recovery = re.findall(r"<code>([A-Z2-9-]{19})</code>", page.text)
    client.get("/profile/factors/app/")  # another one is begun, and waits in the session

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(t::text, ' ') FROM (SELECT f::text AS t FROM accounts_factor f UNION"
            " ALL SELECT r::text FROM accounts_recoverycode r UNION ALL SELECT e::text FROM"
            " accounts_accountevent e) all_of_it"
        )
        [stored] = cursor.fetchone()

    assert secret not in stored
    assert not any(code in stored or code.replace("-", "") in stored for code in recovery)
    assert secret not in str(dict(client.session))
    assert "new_app_secret" in client.session


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"first_code": "000000"}, "not the code that the app should show"),
        ({"password": "wrong"}, "That is not your password"),
        ({"name": ""}, "This field is required"),
    ],
)
def test_a_set_up_that_is_refused_sets_nothing_up_and_keeps_the_picture(client, changes, sentence):
    client.force_login(make.pathologist())

    secret, page = set_up(client, **changes)

    assert sentence in page.text
    assert shown_secret(page) == secret, "the app need not read another picture"
    assert not Factor.objects.exists()
    assert not RecoveryCode.objects.exists()


def test_a_new_factor_ends_the_other_sessions_and_keeps_this_one(client):
    person = make.pathologist()
    other_browser = type(client)()
    other_browser.force_login(person)
    client.force_login(person)

    set_up(client)

    assert client.get("/profile/").status_code == 200
    assert other_browser.get("/profile/").status_code == 302


def test_a_factor_is_removed_with_password_and_code_and_the_last_takes_the_recovery_codes(client):
    person = make.pathologist(name="Ada Sample")
    with_app(person)
    begin(client, person)
    give(client, code())
    [factor] = person.factors.all()
    address = f"/profile/factors/{factor.pk}/remove/"

    refused = client.post(address, {"password": make.PASSWORD})
    assert "Give a code" in refused.text
    assert person.factors.exists()

    assert client.post(address, {"password": make.PASSWORD, "code": code(1)}).status_code == 302
    assert not Factor.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert told(person.laboratory)[-1] == (
        "Ada Sample removed the authenticator app “Phone” as a second factor"
    )


def test_the_factor_of_a_colleague_is_not_there(client):
    person = make.pathologist()
    with_app(person)
    client.force_login(make.pathologist(laboratory=person.laboratory))

    answer = client.post(
        f"/profile/factors/{Factor.objects.get().pk}/remove/", {"password": make.PASSWORD}
    )

    assert answer.status_code == 404
    assert Factor.objects.exists()


def test_new_recovery_codes_take_the_place_of_the_old_ones(client):
    person = make.pathologist()
    [old, *_] = with_app(person)
    client.force_login(person)

    page = client.post("/profile/factors/recovery/", {"password": make.PASSWORD, "code": code()})

    [new, *_] = re.findall(r"<code>([A-Z2-9-]{19})</code>", page.text)
    assert not factors.recognise(person, factors.Answer(old))
    assert factors.recognise(person, factors.Answer(new))


def test_who_has_no_factor_has_no_recovery_codes(client):
    client.force_login(make.pathologist())

    assert client.get("/profile/factors/recovery/").url == "/profile/factors/"


# ── A laboratory that requires it ────────────────────────────────────────────────────────────────


@pytest.fixture
def strict():
    return make.laboratory(requires_second_factor=True)


def test_who_has_none_is_led_to_the_set_up_and_can_do_nothing_else(client, strict):
    person = make.pathologist(laboratory=strict)
    begin(client, person)

    for address in ("/cases/", "/profile/", "/password/", "/learn/", "/nowhere/"):
        assert client.get(address).url == "/profile/factors/", address
    assert client.post("/profile/tokens/", {"name": "a program"}).url == "/profile/factors/"
    refused = client.get("/api/v1/cases/")
    assert (refused.status_code, "second factor" in refused.json()["detail"]) == (403, True)
    fragment = client.get("/cases/", HTTP_HX_REQUEST="true")
    assert fragment["HX-Redirect"] == "/profile/factors/"
    page = client.get("/profile/factors/").text
    assert "requires a second factor" in page

    set_up(client)

    assert client.get("/cases/").status_code == 200
    assert client.get("/api/v1/cases/").status_code == 200


def test_who_is_led_to_the_set_up_can_log_out(client, strict):
    begin(client, make.pathologist(laboratory=strict))

    assert client.post("/logout/").url == "/login/"
    assert not is_logged_in(client)


def test_who_has_one_is_not_led_anywhere(client, strict):
    person = make.pathologist(laboratory=strict)
    with_app(person)

    begin(client, person)
    give(client, code())

    assert client.get("/cases/").status_code == 200


def test_the_requirement_holds_with_the_next_click(client):
    administrator = make.administrator()
    person = make.pathologist(laboratory=administrator.laboratory)
    client.force_login(person)
    assert client.get("/cases/").status_code == 200

    administrator.laboratory.requires_second_factor = True
    administrator.laboratory.save()

    assert client.get("/cases/").url == "/profile/factors/"


def test_a_program_with_a_token_is_not_concerned(client, strict):
    from accounts.tokens import make_token

    _, secret = make_token(make.pathologist(laboratory=strict), "a program")

    answer = client.get("/api/v1/cases/", headers={"Authorization": f"Token {secret}"})

    assert answer.status_code == 200


def test_the_settings_page_turns_the_requirement_on_and_records_it(client):
    administrator = make.administrator(name="Grace Hopper")
    client.force_login(administrator)
    page = client.get("/laboratory/settings/")
    form = page.context["form"]
    given = {name: form[name].value() for name in form.fields}

    answer = client.post(
        "/laboratory/settings/",
        {name: value for name, value in given.items() if value is not False}
        | {"requires_second_factor": "on", "signing_minutes": 45},
    )

    assert answer.url == "/laboratory/settings/"
    [sentence] = told(administrator.laboratory)
    assert "minutes of a signing session from 30 to 45" in sentence
    assert "second factor required from off to on" in sentence


# ── Lost ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_administrator_resets_a_lost_factor_and_sees_no_secret(client):
    person = make.pathologist(name="Ada Sample")
    administrator = make.administrator(name="Grace Hopper", laboratory=person.laboratory)
    with_app(person)
    theirs = type(client)()
    begin(theirs, person)
    give(theirs, code())
    client.force_login(administrator)
    address = f"/laboratory/people/{person.pk}/"
    assert "Reset the second factor" in client.get(address).text

    answer = client.post(f"{address}reset-factors/")

    assert answer.url == address
    assert not Factor.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert theirs.get("/cases/").status_code == 302, "their sessions end"
    page = client.get(address).text
    assert "Grace Hopper reset the second factor of Ada Sample" in page
    assert "Reset the second factor" not in page
    assert SECRET not in page
    assert begin(theirs, person).url == "/cases/"


def test_nobody_resets_their_own_factor(client):
    administrator = make.administrator()
    with_app(administrator)
    client.force_login(administrator)

    answer = client.post(f"/laboratory/people/{administrator.pk}/reset-factors/")

    assert answer.status_code == 403
    assert administrator.factors.exists()


def test_a_reset_password_does_not_open_an_account_with_a_second_factor(client):
    person = make.pathologist()
    with_app(person)
    person.set_password("a long walk along the river")
    person.save()

    client.post("/login/", {"username": person.email, "password": "a long walk along the river"})

    assert not is_logged_in(client)
