import re

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts import people
from accounts.models import AccountEvent, Invitation, Laboratory, Role, User
from tests import make_accounts as make

pytestmark = pytest.mark.django_db

GIVEN = {"email": "ada@example.org", "name": "Dr Ada Sample", "role": "pathologist"}
SETTINGS = {
    "name": "North",
    "time_zone": "europe/berlin",
    "idle_minutes": "20",
    "signing_minutes": "25",
    "routine_turnaround_hours": "72",
    "urgent_turnaround_hours": "8",
}
PLAIN_PAGES = ["user-list", "account-events", "laboratory-settings"]
PAGES = {
    **{name: ("get", name, None) for name in PLAIN_PAGES},
    "invitation-make": ("post", "invitation-make", None),
    "laboratory-settings, saved": ("post", "laboratory-settings", None),
    "user-detail": ("get", "user-detail", "person"),
    "user-role": ("post", "user-role", "person"),
    "user-deactivate": ("post", "user-deactivate", "person"),
    "user-reactivate": ("post", "user-reactivate", "person"),
    "user-unlock": ("post", "user-unlock", "person"),
    "user-reset-link": ("post", "user-reset-link", "person"),
    "invitation-reissue": ("post", "invitation-reissue", "invitation"),
    "invitation-withdraw": ("post", "invitation-withdraw", "invitation"),
}


def invited(administrator, **values):
    return people.invite(administrator, **(GIVEN | values)).invitation


def logged_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def administrator(client):
    administrator = make.administrator(name="Grace Hopper")
    client.force_login(administrator)
    return administrator


# Who sees these pages


@pytest.mark.parametrize("page", PAGES)
def test_who_gets_what_from_each_page(page):
    method, name, about = PAGES[page]
    ours = make.administrator()
    person = make.cytotechnologist(laboratory=ours.laboratory)
    subjects = {"person": person, "invitation": invited(ours)}
    address = reverse(name, args=[subjects[about].pk] if about else [])
    posted = {"role": "pathologist", **SETTINGS} if method == "post" else {}

    def answer(client):
        return getattr(client, method)(address, posted)

    events = AccountEvent.objects.count()
    anonymous = answer(Client())
    assert (anonymous.status_code, anonymous.url.split("?")[0]) == (302, "/login/")
    for role in (Role.CYTOTECHNOLOGIST, Role.PATHOLOGIST):
        assert answer(logged_in(make.user(role, laboratory=ours.laboratory))).status_code == 403
        assert answer(logged_in(make.user(role))).status_code == 403
    if about:
        assert answer(logged_in(make.administrator())).status_code == 404
    assert AccountEvent.objects.count() == events
    assert answer(logged_in(ours)).status_code in (200, 302)


POSTS_ONLY = [name for name, (method, *_) in PAGES.items() if method == "post" and "," not in name]


@pytest.mark.parametrize("page", POSTS_ONLY)
def test_nothing_is_changed_by_a_get(client, administrator, page):
    _, name, about = PAGES[page]
    person = make.user(laboratory=administrator.laboratory)
    subjects = {"person": person, "invitation": invited(administrator)}

    answer = client.get(reverse(name, args=[subjects[about].pk] if about else []))

    assert answer.status_code == 405


def test_the_pages_of_a_laboratory_show_nothing_of_another(client, administrator):
    stranger = make.administrator(name="Margaret Stranger")
    invited(stranger, name="Invited Elsewhere")

    pages = [client.get(reverse(name)).text for name in PLAIN_PAGES]

    assert all("Grace Hopper" in page for page in pages)
    assert not any("Stranger" in page or "Elsewhere" in page for page in pages)


# The list


def test_the_list_says_who_is_locked_out_who_is_gone_and_who_never_came(client, administrator):
    make.user(laboratory=administrator.laboratory, name="Gone Person", is_active=False)
    locked = make.user(laboratory=administrator.laboratory, name="Locked Person")
    for _ in range(5):
        Client().post("/login/", {"username": locked.email, "password": "wrong"})

    page = " ".join(client.get("/laboratory/people/").text.split())

    assert re.search(r"Gone Person.*?Deactivated", page)
    assert re.search(r"Locked Person.*?Locked out until \d\d:\d\d.*?5 failed log-ins", page)
    assert "never" in page


def test_the_list_takes_the_same_queries_for_one_person_and_for_three(
    client, administrator, django_assert_max_num_queries
):
    invited(administrator)
    client.get("/laboratory/people/")
    with django_assert_max_num_queries(7) as one:
        client.get("/laboratory/people/")

    for number in range(2):
        make.user(laboratory=administrator.laboratory)
        invited(administrator, email=f"new{number}@example.org")
    with django_assert_max_num_queries(len(one)):
        client.get("/laboratory/people/")


# Invitations


def test_an_invitation_link_is_shown_once_and_leads_to_joining(client, administrator):
    page = client.post("/laboratory/people/invite/", GIVEN)

    link = re.search(r"http://testserver(/join/[^/]+/)", page.text).group(1)
    assert "no-store" in page.headers["Cache-Control"]
    assert "hand the link over" in page.text
    assert link not in client.get("/laboratory/people/").text
    assert "Dr Ada Sample" in Client().get(link).text


def test_with_a_mail_server_the_invitation_is_mailed_too(client, administrator, settings):
    settings.EMAIL_HOST = "mail.example.org"

    page = client.post("/laboratory/people/invite/", GIVEN)

    [letter] = mail.outbox
    assert letter.to == ["ada@example.org"]
    assert "/join/" in letter.body
    assert "on its way by mail" in page.text


def test_a_mail_server_that_is_down_does_not_lose_the_invitation(client, administrator, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", 9, 2

    page = client.post("/laboratory/people/invite/", GIVEN)

    assert "hand the link over" in page.text
    assert Invitation.objects.get().is_open


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"email": "no address"}, "valid email address"),
        ({"role": "janitor"}, "Select a valid choice"),
        ({"name": ""}, "This field is required"),
    ],
)
def test_a_refused_invitation_is_explained_at_its_field(client, administrator, wrong, sentence):
    page = client.post("/laboratory/people/invite/", GIVEN | wrong)

    assert sentence in page.text
    assert not Invitation.objects.exists()


def test_an_address_with_an_account_is_explained_at_its_field(client, administrator):
    make.user(email="ada@example.org")

    page = client.post("/laboratory/people/invite/", GIVEN)

    assert "belongs to an account already" in page.text


def test_a_new_link_and_a_withdrawal(client, administrator):
    invitation = invited(administrator)

    assert "/join/" in client.post(f"/laboratory/people/invitations/{invitation.pk}/reissue/").text
    client.post(f"/laboratory/people/invitations/{invitation.pk}/withdraw/")

    invitation.refresh_from_db()
    assert invitation.withdrawn_at is not None
    for verb in ("reissue", "withdraw"):
        page = client.post(
            f"/laboratory/people/invitations/{invitation.pk}/{verb}/", follow=True
        ).text
        assert "closed already" in page
    assert "Nobody is invited" in page


# One person


def test_changing_a_role_says_so_and_is_told_among_the_events(client, administrator):
    person = make.cytotechnologist(laboratory=administrator.laboratory, name="Ada Sample")

    page = client.post(
        f"/laboratory/people/{person.pk}/role/", {"role": "pathologist"}, follow=True
    ).text

    assert "Ada Sample has the role pathologist from now on" in page
    assert "from cytotechnologist to pathologist" in page
    assert User.objects.get(pk=person.pk).role == Role.PATHOLOGIST


def test_a_role_that_does_not_exist_is_refused(client, administrator):
    person = make.cytotechnologist(laboratory=administrator.laboratory)

    page = client.post(
        f"/laboratory/people/{person.pk}/role/", {"role": "janitor"}, follow=True
    ).text

    assert "Choose one of the roles" in page
    assert User.objects.get(pk=person.pk).role == Role.CYTOTECHNOLOGIST


def test_ones_own_role_is_not_offered(client, administrator):
    page = client.get(f"/laboratory/people/{administrator.pk}/").text

    assert "ask another administrator" in page
    assert (
        client.post(f"/laboratory/people/{administrator.pk}/role/", {"role": "pathologist"})
    ).status_code == 403


def test_the_last_administrator_is_told_why_they_cannot_leave(client, administrator):
    page = client.post(f"/laboratory/people/{administrator.pk}/deactivate/", follow=True).text

    assert "Grace Hopper is the last active administrator" in page
    assert User.objects.get(pk=administrator.pk).is_active


def test_deactivating_and_reactivating(client, administrator):
    person = make.user(laboratory=administrator.laboratory)
    address = f"/laboratory/people/{person.pk}/"

    page = client.post(f"{address}deactivate/", follow=True).text
    assert "is deactivated" in page
    assert "Reactivate" in page
    assert "reset-link" not in page

    assert "may log in again" in client.post(f"{address}reactivate/", follow=True).text


def test_unlocking_lets_someone_log_in_at_once(client, administrator):
    person = make.user(laboratory=administrator.laboratory)
    visitor = Client()
    for _ in range(5):
        visitor.post("/login/", {"username": person.email, "password": "wrong"})

    client.post(f"/laboratory/people/{person.pk}/unlock/")

    answer = visitor.post("/login/", {"username": person.email, "password": make.PASSWORD})
    assert answer.status_code == 302


def test_r17_with_a_mail_server_a_reset_link_goes_to_its_owner_and_to_nobody_else(
    client, administrator, settings
):
    settings.EMAIL_HOST = "mail.example.org"
    person = make.user(laboratory=administrator.laboratory)

    page = client.post(f"/laboratory/people/{person.pk}/reset-link/", follow=True).text

    [letter] = mail.outbox
    assert letter.to == [person.email]
    assert re.search(r"/password/reset/[^/]+/[^/]+/", letter.body)
    assert f"on its way to {person.email}" in page
    assert not re.search(r"/password/reset/[^/]+/[^/]+/", page)


def test_without_a_mail_server_the_reset_link_is_shown_once_and_works_once(client, administrator):
    person = make.user(laboratory=administrator.laboratory)

    page = client.post(f"/laboratory/people/{person.pk}/reset-link/")

    link = re.search(r"http://testserver(/password/reset/[^<]+)", page.text).group(1)
    assert "no-store" in page.headers["Cache-Control"]
    visitor = Client()
    form = visitor.get(link, follow=True).redirect_chain[-1][0]
    secret = dict.fromkeys(("new_password1", "new_password2"), "a long walk along the river")
    assert visitor.post(form, secret).url == "/login/"
    assert "no longer works" in visitor.get(link, follow=True).text
    actions = [event.action for event in AccountEvent.objects.order_by("at")]
    assert actions == ["reset-link-issued", "password-reset"]


def test_r17_nobody_gets_a_reset_link_for_themselves(client, administrator):
    page = client.post(f"/laboratory/people/{administrator.pk}/reset-link/", follow=True)

    assert "Change your own password on your profile page" in page.text
    assert "/password/reset/" not in page.text
    assert not AccountEvent.objects.exists()


# Settings and events


def test_settings_are_saved_and_take_any_spelling_of_a_time_zone(client, administrator):
    page = client.post("/laboratory/settings/", SETTINGS, follow=True).text

    laboratory = Laboratory.objects.get()
    assert (laboratory.name, laboratory.time_zone) == ("North", "Europe/Berlin")
    assert (laboratory.idle_minutes, laboratory.routine_turnaround_hours) == (20, 72)
    assert (laboratory.urgent_turnaround_hours, laboratory.signing_minutes) == (8, 25)
    assert "The settings are saved" in page


def test_a_wrong_setting_is_explained_and_the_header_keeps_the_name(client, administrator):
    posted = SETTINGS | {"time_zone": "Mars/Base", "idle_minutes": "0"}

    page = client.post("/laboratory/settings/", posted).text

    assert "Mars/Base is not a time zone" in page
    assert "greater than or equal to 1" in page
    assert f"Administrator · {administrator.laboratory.name}" in page
    assert Laboratory.objects.get().time_zone == "UTC"
    assert '<datalist id="time-zones">' in page


def test_all_events_are_there_page_by_page(client, administrator):
    for number in range(60):
        invited(administrator, email=f"new{number}@example.org", name=f"Person {number:02d}")

    first = client.get("/laboratory/people/events/").text
    second = client.get("/laboratory/people/events/?page=2").text

    assert "Person 59" in first
    assert "Person 09" not in first
    assert "Person 09" in second
    assert "Page 2 of 2" in second
