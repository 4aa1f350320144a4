import pytest
from django.http import HttpResponse, JsonResponse
from django.urls import include, path
from django.utils import timezone
from rest_framework.decorators import api_view

from accounts import people, tokens
from accounts.middleware import LAST_ACTIVITY
from accounts.models import User
from tests import make_accounts as make

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@api_view()
def who(request):
    return JsonResponse({"email": request.user.email})


def clock(request):
    return HttpResponse(timezone.get_current_timezone_name())


def image(request):
    return HttpResponse("pixels", headers={"Cache-Control": "private, max-age=60"})


urlpatterns = [
    path("test/who/", who),
    path("test/clock/", clock),
    path("test/image/", image),
    path("", include("config.urls")),
]


def last_activity(client, minutes_ago):
    """Let the session have been used last so long ago; returns the moment."""
    session = client.session
    session[LAST_ACTIVITY] = timezone.now().timestamp() - minutes_ago * 60
    session.save()
    return session[LAST_ACTIVITY]


@pytest.fixture
def person(client):
    """Someone of a laboratory with 15 idle minutes, logged in and active just now."""
    person = make.pathologist()
    client.force_login(person)
    client.get("/profile/")
    return person


def test_r20_after_the_idle_time_the_session_is_over(client, person):
    last_activity(client, 15)

    answer = client.get("/profile/?page=2")

    assert answer.status_code == 302
    assert answer.url == "/login/?next=/profile/%3Fpage%3D2"
    assert "_auth_user_id" not in client.session
    assert "logged off after 15 minutes without activity" in client.get(answer.url).text


def test_r20_just_before_the_idle_time_the_session_goes_on_and_starts_anew(client, person):
    before = last_activity(client, 14.9)

    assert client.get("/profile/").status_code == 200

    assert client.session[LAST_ACTIVITY] > before + 14 * 60


def test_r20_each_laboratory_has_its_own_idle_time(client, person):
    person.laboratory.idle_minutes = 1
    person.laboratory.save(update_fields=["idle_minutes"])
    last_activity(client, 1)

    answer = client.get("/profile/", follow=True)

    assert "logged off after a minute without activity" in answer.text


def test_r20_requests_in_the_background_do_not_count_as_activity(client, person):
    before = last_activity(client, 10)

    assert client.get("/profile/", headers={"X-Background": "true"}).status_code == 200

    assert client.session[LAST_ACTIVITY] == before


def test_r20_a_session_that_only_polls_from_the_start_still_ends(client):
    client.force_login(make.pathologist())

    client.get("/profile/", headers={"X-Background": "true"})

    assert LAST_ACTIVITY in client.session


@pytest.mark.parametrize("headers", [{"X-Background": "true"}, {"Sec-Fetch-Dest": "empty"}])
def test_scripts_are_refused_after_the_idle_time(client, person, headers):
    last_activity(client, 15)

    answer = client.get("/profile/", headers=headers)

    assert answer.status_code == 401
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("background", [{}, {"X-Background": "true"}])
def test_htmx_is_led_to_the_log_in_page_and_back_to_the_page_it_was_on(client, person, background):
    last_activity(client, 15)

    answer = client.get(
        "/profile/",
        headers={
            "HX-Request": "true",
            "HX-Current-URL": "http://testserver/laboratory/people/?x=1",
        }
        | background,
    )

    assert answer.status_code == 200
    assert answer.headers["HX-Redirect"] == "/login/?next=%2Flaboratory%2Fpeople%2F%3Fx%3D1"
    assert answer.text == ""


def test_a_posted_form_leads_back_to_its_page_and_not_to_an_address_that_only_takes_posts(
    client, person
):
    last_activity(client, 15)

    answer = client.post(
        "/profile/tokens/", {"name": "x"}, headers={"Referer": "http://testserver/profile/"}
    )

    assert answer.url == "/login/?next=%2Fprofile%2F"
    assert not person.api_tokens.exists()


def test_nobody_is_led_to_another_site(client, person):
    last_activity(client, 15)

    answer = client.post(
        "/profile/tokens/", {"name": "x"}, headers={"Referer": "https://evil.example/profile/"}
    )

    assert answer.url == "/login/"


def test_a_public_page_goes_on_without_the_session(client, person):
    last_activity(client, 15)

    answer = client.get("/")

    assert answer.status_code == 200
    assert "logged off after 15 minutes" in answer.text


def test_the_session_is_written_sparingly(client, person):
    noted = client.session[LAST_ACTIVITY]

    client.get("/profile/")

    assert client.session[LAST_ACTIVITY] == noted


def test_a_program_with_a_token_is_never_idle(client):
    person = make.pathologist()
    _, secret = tokens.make_token(person, "scanner")
    headers = {"Authorization": f"Token {secret}"}

    answers = [client.get("/test/who/", headers=headers) for _ in range(2)]

    assert [answer.json() for answer in answers] == [{"email": person.email}] * 2
    assert LAST_ACTIVITY not in client.session


def test_a_token_header_does_not_keep_a_session_alive(client, person):
    last_activity(client, 15)

    client.get("/profile/", headers={"Authorization": "Token anything"})

    assert "_auth_user_id" not in client.session


def test_r20_a_deactivated_person_is_out_with_the_next_click(client, person):
    administrator = make.administrator(laboratory=person.laboratory)
    people.deactivate(person, administrator)

    assert client.get("/profile/").status_code == 302
    assert client.get("/test/who/").status_code in (401, 403)


def test_an_inactive_user_has_no_session_even_without_the_verb(client, person):
    User.objects.filter(pk=person.pk).update(is_active=False)

    assert client.get("/profile/").status_code == 302


def test_reactivation_does_not_bring_old_sessions_back(client, person):
    administrator = make.administrator(laboratory=person.laboratory)
    people.deactivate(person, administrator)
    people.reactivate(person, administrator)

    assert client.get("/profile/").status_code == 302


def test_r20_another_role_holds_with_the_next_click(client):
    administrator = make.administrator()
    person = make.cytotechnologist(laboratory=administrator.laboratory)
    client.force_login(person)
    assert client.get("/laboratory/people/").status_code == 403

    people.change_role(person, administrator, "administrator")

    assert client.get("/laboratory/people/").status_code == 200


def test_moments_are_shown_in_the_zone_of_the_laboratory(client):
    assert client.get("/test/clock/").text == "UTC"
    client.force_login(make.user(laboratory=make.laboratory(time_zone="Asia/Kathmandu")))

    assert client.get("/test/clock/").text == "Asia/Kathmandu"
    assert timezone.get_current_timezone_name() == "UTC"


def test_private_pages_are_not_kept_by_the_browser(client, person):
    assert client.get("/profile/").headers["Cache-Control"] == "private, no-store"
    assert client.get("/test/image/").headers["Cache-Control"] == "private, max-age=60"
    client.logout()
    assert "Cache-Control" not in client.get("/").headers
