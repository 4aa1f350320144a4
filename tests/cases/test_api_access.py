"""Who may call the addresses of the API, and what a refusal says; test_borders has them all."""

from dataclasses import dataclass, field
from io import BytesIO

import pytest
from rest_framework.test import APIClient

from accounts.models import Role
from cases.models import AuditEvent, Case
from tests import make
from tests.cases.api import ACCESSION, NILM, as_person, url, with_token

pytestmark = pytest.mark.django_db

Status = Case.Status
CYTOTECHNOLOGIST, PATHOLOGIST, ADMINISTRATOR = Role.values
EVERYBODY = {CYTOTECHNOLOGIST, PATHOLOGIST, ADMINISTRATOR}
NOBODY = "nobody"


@dataclass(frozen=True)
class Route:
    """An address and a method, the state it needs, and the roles that it serves."""

    name: str
    method: str
    roles: set
    state: str = Status.DRAFT
    body: dict = field(default_factory=dict)
    served: int = 200
    of_a_case: bool = True

    def __str__(self):
        return f"{self.method} {self.name}"


ROUTES = [
    Route("case-list", "get", EVERYBODY, of_a_case=False),
    Route("case-list", "post", {CYTOTECHNOLOGIST}, body=ACCESSION, served=201, of_a_case=False),
    Route("case-detail", "get", EVERYBODY),
    Route("case-detail", "patch", {CYTOTECHNOLOGIST}, body={"priority": "urgent"}),
    Route("case-images", "post", {CYTOTECHNOLOGIST}),
    Route("case-image", "delete", {CYTOTECHNOLOGIST}, served=204),
    Route("case-submit", "post", {CYTOTECHNOLOGIST}),
    Route("case-retry", "post", {CYTOTECHNOLOGIST}, state=Status.FAILED),
    Route("case-reclassify", "post", {CYTOTECHNOLOGIST, PATHOLOGIST}, state=Status.AWAITING_REVIEW),
    Route("case-activation", "get", EVERYBODY, state=Status.REVIEWING),
    Route("case-claim", "post", {PATHOLOGIST}, state=Status.AWAITING_REVIEW),
    Route("case-release", "post", {PATHOLOGIST}, state=Status.REVIEWING),
    Route("case-findings", "post", {PATHOLOGIST}, state=Status.REVIEWING),
    Route("case-sign", "post", {PATHOLOGIST}, state=Status.REVIEWING, body=NILM),
    Route("case-trail", "get", EVERYBODY),
    Route("model", "get", EVERYBODY, of_a_case=False),
]
OF_AN_IMAGE = {"case-image", "case-activation"}
ASKERS = [NOBODY, *Role.values]


@pytest.fixture
def home():
    return make.laboratory()


def a_case(route, laboratory):
    """A case that the cytotechnologist of the laboratory prepared and its pathologist holds."""
    reviewer = make.pathologist(laboratory=laboratory)
    by = make.cytotechnologist(laboratory=laboratory)
    case = make.case(route.state, by=by, reviewer=reviewer, images=1)
    if route.name == "case-sign":
        make.finding(case, case.images.get())
    if route.name == "case-reclassify":
        make.newer_model_version()
    return case


def person(role, laboratory, case=None):
    """Whoever of this role is concerned with the case, or else another of the laboratory."""
    if role == NOBODY:
        return None
    if case and role == CYTOTECHNOLOGIST:
        return case.accessioned_by
    if case and role == PATHOLOGIST and case.reviewer:
        return case.reviewer
    return make.user(role, laboratory=laboratory)


def ask(client, route, case):
    image = case.images.get()
    place = case if route.of_a_case else None
    address = url(route.name, place, image.pk if route.name in OF_AN_IMAGE else None)
    if route.name == "case-images":
        sent = {"file": BytesIO(make.cell_picture(seed=99))}
        return client.post(address, sent, format="multipart")
    body = route.body
    if route.name == "case-findings":
        body = {"decisions": [{"image": str(image.pk), "cell_class": "Parabasal"}]}
    return getattr(client, route.method)(address, body or None)


@pytest.mark.parametrize("role", ASKERS)
@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_route_serves_its_roles_and_refuses_the_others(route, role, home):
    make.model_version()
    case = a_case(route, home)
    user = person(role, home, case)

    answer = ask(as_person(user), route, case)

    if role == NOBODY:
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == "Token"
    elif role in route.roles:
        assert answer.status_code == route.served, answer.content
    else:
        assert answer.status_code == 403
        assert answer.json()["detail"].endswith(".")
        case.refresh_from_db()
        assert case.status == route.state
        assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("route", [route for route in ROUTES if route.of_a_case], ids=str)
def test_a_case_of_another_laboratory_does_not_exist(route, role, home):
    make.model_version()
    case = a_case(route, home)
    stranger = make.user(role)

    answer = ask(as_person(stranger), route, case)

    assert answer.status_code == 404
    case.refresh_from_db()
    assert case.status == route.state
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("role", Role.values)
def test_a_list_shows_nothing_of_another_laboratory(role, home):
    case = make.case(by=make.cytotechnologist(laboratory=home))
    stranger = make.user(role)

    strange = as_person(stranger).get(url("case-list"), {"search": case.accession_number})
    own = as_person(case.accessioned_by).get(url("case-list"))

    assert strange.json()["results"] == []
    assert [row["id"] for row in own.json()["results"]] == [str(case.pk)]


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.name in {"case-detail", "case-images", "case-submit"}], ids=str
)
def test_a_draft_is_prepared_by_who_accessioned_it_and_no_colleague(route, home):
    make.model_version()
    case = a_case(route, home)
    colleague = make.cytotechnologist(laboratory=home)

    answer = ask(as_person(colleague), route, case)

    assert answer.status_code == (200 if route.method == "get" else 403)


@pytest.mark.parametrize(
    "route",
    [r for r in ROUTES if r.name in {"case-findings", "case-release", "case-sign"}],
    ids=str,
)
def test_a_case_in_review_is_its_holders_and_no_other_pathologists(route, home):
    case = a_case(route, home)
    other = make.pathologist(laboratory=home)

    answer = ask(as_person(other), route, case)

    assert answer.status_code == 403
    case.refresh_from_db()
    assert case.status == Status.REVIEWING


def test_the_schema_is_public(client):
    assert client.get(url("schema")).status_code == 200


@pytest.mark.parametrize("method", ["put", "delete", "options"])
def test_a_case_is_neither_replaced_nor_deleted(method, home):
    case = make.case(by=make.cytotechnologist(laboratory=home))

    answer = getattr(as_person(case.accessioned_by), method)(url("case-detail", case))

    assert answer.status_code == 405


def test_a_token_opens_what_its_user_may_open_until_it_is_revoked():
    case = make.case()
    client = with_token(case.accessioned_by)

    before = client.get(url("case-detail", case))
    case.accessioned_by.api_tokens.update(revoked_at="2026-01-01T00:00Z")
    after = client.get(url("case-detail", case))

    assert (before.status_code, after.status_code) == (200, 401)
    assert after.json()["detail"].startswith("This token is unknown, revoked")


def test_a_token_ends_with_its_users_account():
    case = make.case()
    client = with_token(case.accessioned_by)
    type(case.accessioned_by).objects.filter(pk=case.accessioned_by_id).update(is_active=False)

    answer = client.get(url("case-detail", case))

    assert answer.status_code == 401


def test_a_token_does_not_cross_the_border():
    assert (
        with_token(make.cytotechnologist()).get(url("case-detail", make.case())).status_code == 404
    )


def test_a_session_that_changes_something_must_show_its_csrf_token():
    case = make.case(Status.AWAITING_REVIEW)
    pathologist = make.pathologist(laboratory=case.laboratory)
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(pathologist, backend="django.contrib.auth.backends.ModelBackend")

    answer = client.post(url("case-claim", case))

    assert answer.status_code == 403
    assert answer.json()["detail"].startswith("CSRF Failed")
    case.refresh_from_db()
    assert case.status == Status.AWAITING_REVIEW


def test_nobody_on_the_way_may_keep_an_answer():
    case = make.case()

    answer = with_token(case.accessioned_by).get(url("case-detail", case))

    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Disclaimer"] == answer.json()["disclaimer"]
