"""The OpenAPI schema: valid, complete, and true of what is answered."""

from io import StringIO

import pytest
import yaml
from django.core.management import call_command
from drf_spectacular.validation import validate_schema
from jsonschema import Draft4Validator

from cases.models import Case
from tests import make
from tests.cases.api import NILM, as_person, url

pytestmark = pytest.mark.django_db

Status = Case.Status


@pytest.fixture
def schema(client):
    return client.get(url("schema"), {"format": "json"}).json()


def resolved(schema, node):
    """A part of the schema with its references followed and its nulls as JSON Schema has them."""
    if isinstance(node, list):
        return [resolved(schema, part) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return resolved(schema, schema["components"]["schemas"][node["$ref"].split("/")[-1]])
    told = {key: resolved(schema, part) for key, part in node.items()}
    return {"anyOf": [told, {"type": "null"}]} if node.get("nullable") is True else told


def check(schema, answer, path, method="get"):
    responses = schema["paths"][path][method]["responses"]
    content = responses[str(answer.status_code)]["content"]["application/json"]
    Draft4Validator(resolved(schema, content["schema"])).validate(answer.json())


def test_the_schema_is_valid_and_was_made_without_a_warning(schema):
    made = StringIO()

    call_command("spectacular", "--validate", "--fail-on-warn", stdout=made)

    validate_schema(schema)
    assert yaml.safe_load(made.getvalue())["info"]["title"] == "CytoDesk"


def test_the_schema_says_what_it_is_not_for_and_how_to_log_in(schema):
    assert "not for diagnosis" in schema["info"]["description"]
    assert set(schema["components"]["securitySchemes"]) == {"apiToken", "cookieAuth"}
    for path in schema["paths"].values():
        for operation in path.values():
            assert operation["security"] == [{"apiToken": []}, {"cookieAuth": []}]
            assert operation["description"]


def test_files_are_bytes_in_the_schema(schema):
    upload = schema["paths"]["/api/v1/cases/{case_id}/images/"]["post"]["requestBody"]["content"]

    sent = resolved(schema, upload["multipart/form-data"]["schema"])

    assert sent["properties"]["file"]["items"]["format"] == "binary"


@pytest.mark.parametrize("state", [*Status])
@pytest.mark.parametrize("person", [make.pathologist, make.administrator])
def test_a_case_in_every_state_is_what_the_schema_says(schema, state, person):
    case = make.case(state, images=2)
    if state in (Status.REVIEWING, Status.SIGNED):
        make.finding(case, case.images.first())
        make.finding(case, case.images.last(), exclusion="Blurred")
    client = as_person(person(laboratory=case.laboratory))

    check(schema, client.get(url("case-detail", case)), "/api/v1/cases/{case_id}/")
    check(schema, client.get(url("case-list")), "/api/v1/cases/")


def test_what_a_review_answers_is_what_the_schema_says(schema):
    case = make.case(Status.REVIEWING, images=1)
    client = as_person(case.reviewer)
    place = "/api/v1/cases/{case_id}/"
    decisions = {"decisions": [{"image": str(case.images.get().pk), "cell_class": "Parabasal"}]}

    for _ in ("made", "stale"):
        check(
            schema, client.post(url("case-findings", case), decisions), place + "findings/", "post"
        )
    for password in ("a guess", NILM["password"], NILM["password"]):  # 403, 200, 409
        answer = client.post(url("case-sign", case), NILM | {"password": password})
        check(schema, answer, place + "sign/", "post")
    check(schema, client.get(url("case-trail", case)), place + "trail/")


def test_an_abstention_and_an_activation_are_what_the_schema_says(schema):
    case = make.case(Status.REVIEWING, images=2)
    image = case.images.first()
    make.abstain(case, image, familiarity=None)
    client = as_person(case.reviewer)
    place = "/api/v1/cases/{case_id}/"

    check(schema, client.get(url("case-detail", case)), place)
    found = client.get(url("case-activation", case, image.pk))
    check(schema, found, place + "images/{image_id}/activation/")


def test_the_model_is_what_the_schema_says(schema):
    client = as_person(make.administrator())

    without = client.get(url("model"))
    make.model_version()

    check(schema, without, "/api/v1/model/")
    check(schema, client.get(url("model")), "/api/v1/model/")
