from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from axes.models import AccessAttempt
from django.test import RequestFactory
from django.utils import timezone
from rest_framework.request import Request as ApiRequest

from accounts import lockout
from accounts.authentication import Reauthentication, WrongPassword, reauthenticate
from accounts.models import User
from tests import make_accounts as make

pytestmark = pytest.mark.django_db


def request_of(user, **posted):
    request = RequestFactory().post("/cases/sign/", posted)
    request.user = user
    return request


def test_the_right_password_proves_who_is_there():
    person = make.pathologist()

    proof = reauthenticate(request_of(person), make.PASSWORD)

    assert isinstance(proof, Reauthentication)
    assert (proof.user_id, proof.method) == (person.pk, "password")
    assert timezone.now() - proof.at < timedelta(seconds=10)


def test_the_api_asks_in_the_same_way():
    person = make.pathologist()
    request = ApiRequest(request_of(person))
    request.user, request.auth = person, None  # as for a session

    assert reauthenticate(request, make.PASSWORD).user_id == person.pk
    with pytest.raises(WrongPassword):
        reauthenticate(request, "wrong")


@pytest.mark.parametrize("password", ["", "wrong", make.PASSWORD.upper()])
def test_a_wrong_password_is_refused(password):
    person = make.pathologist()

    with pytest.raises(WrongPassword, match="That is not your password"):
        reauthenticate(request_of(person), password)

    assert lockout.failures_of(person.email).count == 1


def test_the_password_of_a_colleague_is_a_wrong_password():
    person = make.pathologist()
    make.pathologist(laboratory=person.laboratory, password="another good password")

    with pytest.raises(WrongPassword):
        reauthenticate(request_of(person), "another good password")


def test_a_deactivated_person_cannot_sign():
    person = make.pathologist()
    User.objects.filter(pk=person.pk).update(is_active=False)

    with pytest.raises(WrongPassword):
        reauthenticate(request_of(person), make.PASSWORD)


def test_wrong_passwords_count_towards_the_lock_out(client):
    person = make.pathologist()
    request = request_of(person)
    for _ in range(5):
        with pytest.raises(WrongPassword):
            reauthenticate(request, "wrong")

    with pytest.raises(WrongPassword, match=r"not accepted until \d\d:\d\d"):
        reauthenticate(request, make.PASSWORD)

    answer = client.post("/login/", {"username": person.email, "password": make.PASSWORD})
    assert answer.status_code == 429
    # The page that asked answers itself, with everything typed into it.
    assert not getattr(request, "axes_locked_out", False)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Lima"])
def test_the_end_of_a_lock_out_is_told_in_the_laboratorys_time(zone):
    person = make.pathologist(laboratory=make.laboratory(time_zone=zone))
    for _ in range(5):
        with pytest.raises(WrongPassword):
            reauthenticate(request_of(person), "wrong")
    until = lockout.failures_of(person.email).locked_until.astimezone(ZoneInfo(zone))

    with pytest.raises(WrongPassword, match=f"until {until:%H:%M}"):
        reauthenticate(request_of(person), make.PASSWORD)


def test_the_right_password_forgets_the_wrong_ones():
    person = make.pathologist()
    with pytest.raises(WrongPassword):
        reauthenticate(request_of(person), "wrong")

    reauthenticate(request_of(person), make.PASSWORD)

    assert lockout.failures_of(person.email).count == 0


def test_the_rest_of_a_form_is_not_kept_with_the_failure():
    person = make.pathologist()

    with pytest.raises(WrongPassword):
        reauthenticate(request_of(person, note="koilocytes", new_password1="river walk"), "wrong")

    kept = str(vars(AccessAttempt.objects.get()))
    assert "koilocytes" not in kept
    assert "river walk" not in kept
