import re

import pytest
from django.core import mail
from django.utils import timezone

from accounts import people, tokens
from accounts.models import AccountEvent, ApiToken, Role, User
from tests import make_accounts as make

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "a long walk along the river"
TWICE = {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}


@pytest.fixture
def mail_server(settings):
    """As if a mail server were there; letters land in `mail.outbox`."""
    settings.EMAIL_HOST = "mail.example.org"


def link_in(text):
    return re.search(r"http://testserver(\S+?)[\s\"<]", text).group(1)


# The way in and out


def test_the_landing_page_is_for_those_who_are_not_logged_in(client):
    page = client.get("/")

    assert page.status_code == 200
    assert 'href="/login/"' in page.text
    assert client.head("/").status_code == 200  # what asks whether the site is there

    client.force_login(make.user())
    assert client.get("/").url == "/cases/"


def test_logging_in_with_any_spelling_of_the_address(client):
    person = make.user(email="ada@example.org")

    answer = client.post("/login/", {"username": "Ada@Example.org", "password": make.PASSWORD})

    assert answer.url == "/cases/"
    assert client.session["_auth_user_id"] == str(person.pk)


@pytest.mark.parametrize(
    ("wanted", "place"), [("/profile/", "/profile/"), ("https://evil.example/", "/cases/")]
)
def test_after_log_in_one_is_where_one_wanted_to_be_on_this_site(client, wanted, place):
    person = make.user()

    answer = client.post(
        "/login/", {"username": person.email, "password": make.PASSWORD, "next": wanted}
    )

    assert answer.url == place


def test_logging_out_takes_a_post(client):
    client.force_login(make.user())

    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/").url == "/login/"
    assert "_auth_user_id" not in client.session


def test_the_log_in_form_tells_password_managers_and_screen_readers_what_is_what(client):
    page = client.post("/login/", {"username": "x", "password": ""}).text

    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    assert 'aria-describedby="id_username_error"' in page
    assert 'aria-invalid="true"' in page
    assert 'id="id_username_error"' in page


@pytest.mark.parametrize("address", ["/profile/", "/password/"])
def test_pages_about_oneself_ask_who_one_is(client, address):
    assert client.get(address).url == f"/login/?next={address}"


# Passwords


def test_changing_the_password_ends_the_other_sessions_and_keeps_this_one(client):
    person = make.user()
    other_browser = type(client)()
    other_browser.force_login(person)
    client.force_login(person)

    answer = client.post("/password/", {"old_password": make.PASSWORD, **TWICE})

    assert answer.url == "/profile/"
    assert User.objects.get().check_password(NEW_PASSWORD)
    assert client.get("/profile/").status_code == 200
    assert other_browser.get("/profile/").status_code == 302
    assert AccountEvent.objects.get().action == "password-changed"


@pytest.mark.parametrize(
    ("posted", "sentence"),
    [
        ({"old_password": "wrong"}, "That is not your password"),
        ({"new_password2": "another"}, "password fields"),
        ({"new_password1": "short", "new_password2": "short"}, "too short"),
    ],
)
def test_a_refused_change_of_password_changes_nothing(client, posted, sentence):
    client.force_login(make.user())

    page = client.post("/password/", {"old_password": make.PASSWORD, **TWICE, **posted})

    assert sentence in page.text
    assert User.objects.get().check_password(make.PASSWORD)
    assert set(AccountEvent.objects.values_list("action", flat=True)) <= {"not-recognised"}


def test_guessing_the_old_password_in_an_open_session_locks(client):
    client.force_login(make.user())
    for _ in range(5):
        client.post("/password/", {"old_password": "wrong", **TWICE})

    page = client.post("/password/", {"old_password": make.PASSWORD, **TWICE})

    assert "Too many wrong passwords" in page.text
    assert User.objects.get().check_password(make.PASSWORD)


def test_a_forgotten_password_is_replaced_through_the_mail(client, mail_server):
    person = make.user()
    for _ in range(5):
        client.post("/login/", {"username": person.email, "password": "wrong"})

    assert client.post("/password/reset/", {"email": person.email}).url == "/password/reset/sent/"
    [letter] = mail.outbox
    form = client.get(link_in(letter.body), follow=True)
    answer = client.post(form.redirect_chain[-1][0], TWICE)

    assert letter.to == [person.email]
    assert answer.url == "/login/"
    assert AccountEvent.objects.first().action == "password-reset"
    logged_in = client.post("/login/", {"username": person.email, "password": NEW_PASSWORD})
    assert logged_in.url == "/cases/"
    assert "no longer works" in client.get(link_in(letter.body), follow=True).text


def test_the_answer_does_not_tell_whether_an_address_has_an_account(client, mail_server):
    gone = make.user(is_active=False)

    answers = {
        client.post("/password/reset/", {"email": email}).url
        for email in [make.user().email, gone.email, "nobody@example.org"]
    }

    assert answers == {"/password/reset/sent/"}
    assert len(mail.outbox) == 1


def test_without_a_mail_server_the_page_says_whom_to_ask(client):
    page = client.get("/password/reset/")

    assert "no mail server" in page.text
    assert "<form class" not in page.text


def test_a_link_of_someone_deactivated_since_is_worthless(client):
    administrator = make.administrator()
    person = make.user(laboratory=administrator.laboratory)
    link = people.issue_reset_link(person, administrator)
    people.deactivate(person, administrator)

    page = client.get(f"/password/reset/{link.uidb64}/{link.token}/", follow=True)

    assert "no longer works" in page.text


# Joining


def invited(administrator=None):
    return people.invite(
        administrator or make.administrator(),
        email="ada@example.org",
        name="Dr Ada Sample",
        role=Role.PATHOLOGIST,
    )


def test_an_invited_person_joins_and_logs_in(client):
    link = f"/join/{invited().secret}/"

    page = client.get(link)
    answer = client.post(link, TWICE)

    assert "Dr Ada Sample" in page.text
    assert 'autocomplete="new-password"' in page.text
    assert "no-store" in page.headers["Cache-Control"]
    assert answer.url == "/login/"
    logged_in = client.post("/login/", {"username": "ada@example.org", "password": NEW_PASSWORD})
    assert logged_in.url == "/cases/"


def test_a_used_or_unknown_link_says_so(client):
    issued = invited()
    people.accept(issued.secret, NEW_PASSWORD)

    for secret in (issued.secret, "unknown"):
        page = client.post(f"/join/{secret}/", TWICE)
        assert page.status_code == 410
        assert "Ask an administrator" in page.text


@pytest.mark.parametrize("password", ["short", "dr.ada.sample"])
def test_a_weak_password_is_answered_with_a_sentence(client, password):
    issued = invited()

    page = client.post(
        f"/join/{issued.secret}/", {"new_password1": password, "new_password2": password}
    )

    assert page.status_code == 200
    assert "errorlist" in page.text
    assert not User.objects.filter(email="ada@example.org").exists()


def test_someone_who_is_logged_in_cannot_join_as_another(client):
    administrator = make.administrator()
    issued = invited(administrator)
    client.force_login(administrator)

    page = client.post(f"/join/{issued.secret}/", TWICE)

    assert "You are logged in as" in page.text
    assert not User.objects.filter(email="ada@example.org").exists()


def test_an_address_that_got_an_account_elsewhere_meanwhile_is_told(client):
    first, second = invited(), invited()
    people.accept(first.secret, NEW_PASSWORD)

    page = client.post(f"/join/{second.secret}/", TWICE)

    assert page.status_code == 409
    assert "belongs to an account already" in page.text


# Profile and tokens


def test_a_token_is_shown_once(client):
    person = make.user()
    client.force_login(person)

    made = client.post("/profile/tokens/", {"name": "scanner"})

    secret = re.search(r">(cytodesk_[^<]+)<", made.text).group(1)
    assert "no-store" in made.headers["Cache-Control"]
    assert ApiToken.objects.get().user == person
    profile = client.get("/profile/").text
    assert "scanner" in profile
    assert "never used" in profile
    assert secret not in profile


def test_a_token_without_a_name_is_not_made(client):
    client.force_login(make.user())

    page = client.post("/profile/tokens/", {"name": ""})

    assert "This field is required" in page.text
    assert not ApiToken.objects.exists()


def test_a_revoked_token_leaves_the_list(client):
    person = make.user()
    token, _ = tokens.make_token(person, "scanner")
    client.force_login(person)

    client.post(f"/profile/tokens/{token.pk}/revoke/")

    token.refresh_from_db()
    assert token.revoked_at <= timezone.now()
    assert "You have no token" in client.get("/profile/").text


def test_the_token_of_another_is_not_there(client):
    colleague = make.user()
    token, _ = tokens.make_token(colleague, "scanner")
    client.force_login(make.administrator(laboratory=colleague.laboratory))

    answer = client.post(f"/profile/tokens/{token.pk}/revoke/")

    assert answer.status_code == 404
    assert ApiToken.objects.get().revoked_at is None
    assert "<strong>scanner" not in client.get("/profile/").text


def test_the_list_of_tokens_takes_the_same_queries_for_one_and_for_three(
    client, django_assert_num_queries
):
    person = make.user()
    client.force_login(person)
    client.get("/profile/")
    tokens.make_token(person, "one")
    with django_assert_num_queries(4):
        client.get("/profile/")

    for name in ("two", "three"):
        tokens.make_token(person, name)
    with django_assert_num_queries(4):
        client.get("/profile/")
