"""The container files against the compose schema, and against what the settings really read."""

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
NOT_OURS = {"POSTGRES_PASSWORD"}  # read by docker-compose.yml itself
IMAGES_OF_OTHERS = {"db", "broker"}


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def names_in_settings():
    source = (ROOT / "config" / "settings.py").read_text()
    return set(re.findall(r'env\.\w+\(\s*"(\w+)"', source))


def names_in_example():
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_compose_file_follows_the_compose_schema(compose):
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"

    jsonschema.validate(compose, json.loads(schema.read_text()))


def test_web_worker_clock_database_and_broker_are_there_and_checked(compose):
    services = compose["services"]

    assert set(services) == {"web", "worker", "beat", "migrate", *IMAGES_OF_OTHERS}
    assert {name for name in services if "healthcheck" not in services[name]} == {"migrate"}


def test_nothing_starts_before_what_it_needs(compose):
    services = compose["services"]
    waits = {
        (name, needed, rule["condition"])
        for name, service in services.items()
        for needed, rule in service.get("depends_on", {}).items()
    }

    assert {needed for _, needed, _ in waits} == {"migrate", *IMAGES_OF_OTHERS}
    assert {condition for _, needed, condition in waits if needed != "migrate"} == {
        "service_healthy"
    }
    assert {name for name, needed, _ in waits if needed == "migrate"} == {"web", "worker", "beat"}


def test_every_command_is_one_that_the_image_has(compose):
    programs = {
        word
        for name, service in compose["services"].items()
        if name not in IMAGES_OF_OTHERS
        for word in service.get("command", [])[:1]
    }
    managed = re.findall(r"manage\.py (\w+)", json.dumps(compose))
    known = {path.stem for path in ROOT.glob("*/management/commands/*.py")} | {"migrate"}

    assert programs == {"celery", "sh"}
    assert managed
    assert set(managed) <= known


def test_every_name_given_to_the_application_is_one_that_the_settings_read(compose):
    given = set(compose["x-application"]["environment"]) | set(names_in_example())
    given |= set(re.findall(r"^\s+([A-Z_]+)=/app", (ROOT / "Dockerfile").read_text(), re.MULTILINE))

    assert given - NOT_OURS - names_in_settings() == {"PYTHONPATH"}


def test_the_example_environment_holds_no_secret():
    example = names_in_example()

    assert {example[name] for name in ("POSTGRES_PASSWORD", "SECRET_KEY", "PATIENT_KEYS")} == {""}


def test_every_volume_that_is_used_is_declared(compose):
    used = {
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
    }

    assert used == set(compose["volumes"])


def test_the_application_may_write_only_where_a_volume_or_the_image_lets_it(compose):
    folders = {volume.split(":")[1] for volume in compose["x-application"]["volumes"]}
    [made] = re.findall(r"mkdir -p ([^\\\n]+)", (ROOT / "Dockerfile").read_text())

    assert compose["x-application"]["read_only"] is True
    assert folders == {f"/app/{folder}" for folder in made.split()}
