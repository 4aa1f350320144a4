"""Pictures: to the case's laboratory alone, by session or token, kept by its own browser only."""

import pytest
from django.urls import reverse

from cases import intake, storage
from tests import make
from tests.cases.api import with_token

pytestmark = pytest.mark.django_db


def address(name, case):
    return reverse(name, kwargs={"case_id": case.pk, "image_id": case.images.get().pk})


@pytest.mark.parametrize(("name", "kind"), [("image", "image/png"), ("thumbnail", "image/webp")])
def test_a_picture_comes_with_its_digest_and_is_kept_by_this_browser_only(client, name, kind):
    case = make.case(images=1)
    client.force_login(case.accessioned_by)

    answer = client.get(address(name, case))
    again = client.get(address(name, case), headers={"If-None-Match": answer["ETag"]})

    assert (answer.status_code, answer["Content-Type"]) == (200, kind)
    assert "private" in answer["Cache-Control"]
    assert (again.status_code, again.content) == (304, b"")
    if name == "image":
        assert intake.source_digest(answer.content) == case.images.get().digest


def test_a_token_opens_the_pictures_of_its_laboratory_and_no_others():
    case, foreign = make.case(images=1), make.case(images=1)
    client = with_token(case.accessioned_by)

    own, other = client.get(address("image", case)), client.get(address("image", foreign))

    assert (own.status_code, other.status_code) == (200, 404)


@pytest.mark.parametrize(
    ("header", "status"), [("Token wrong", 401), ("Basic eDp5", 302), ("", 302)]
)
def test_no_valid_token_and_no_session_open_nothing(client, header, status):
    case = make.case(images=1)

    answer = client.get(address("image", case), headers={"Authorization": header})

    assert answer.status_code == status


def test_a_picture_that_is_gone_is_a_404(client):
    case = make.case(images=1)
    client.force_login(case.accessioned_by)
    storage.delete(case.laboratory_id, case.images.get().digest)

    assert client.get(address("image", case)).status_code == 404
