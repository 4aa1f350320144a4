"""What is read from the environment, and what is refused."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env


@pytest.fixture
def given(monkeypatch):
    monkeypatch.delenv("COLOUR_FILE", raising=False)
    return lambda value: monkeypatch.setenv("COLOUR", value)


def test_text_is_taken_as_it_is_or_from_its_default(given):
    assert env.text("COLOUR", "blue") == "blue"

    given("green, or so")

    assert env.text("COLOUR", "blue") == "green, or so"


def test_text_without_a_default_must_be_given(given):
    given("")

    with pytest.raises(ImproperlyConfigured, match="COLOUR is not set"):
        env.text("COLOUR")


@pytest.mark.parametrize(("value", "read"), [("True", True), ("False", False), ("", True)])
def test_a_flag_is_true_or_false_or_its_default(given, value, read):
    given(value)

    assert env.flag("COLOUR", default=True) is read


@pytest.mark.parametrize("value", ["true", "1", "yes", "on", " True"])
def test_a_flag_of_another_spelling_is_refused(given, value):
    given(value)

    with pytest.raises(ImproperlyConfigured, match="write True or False"):
        env.flag("COLOUR", default=False)


@pytest.mark.parametrize(("value", "read"), [("0", 0), ("42", 42), ("", 7)])
def test_a_number_is_whole_or_its_default(given, value, read):
    given(value)

    assert env.number("COLOUR", 7) == read


@pytest.mark.parametrize("value", ["-1", "1.5", "ten", "1_000", "٣", " 1"])
def test_a_number_of_another_kind_is_refused(given, value):
    given(value)

    with pytest.raises(ImproperlyConfigured, match="write a whole number from 0 up"):
        env.number("COLOUR", 7)


def test_a_number_below_its_minimum_is_refused(given):
    given("1")

    with pytest.raises(ImproperlyConfigured, match="from 2 up"):
        env.number("COLOUR", 7, minimum=2)


@pytest.mark.parametrize(
    ("value", "read"), [("red", ["red"]), ("red, blue ,green", ["red", "blue", "green"]), ("", [])]
)
def test_a_list_is_divided_by_commas(given, value, read):
    given(value)

    assert env.listed("COLOUR", []) == read


def test_a_list_with_an_empty_value_is_refused(given):
    given("red,,blue")

    with pytest.raises(ImproperlyConfigured, match="one comma between two"):
        env.listed("COLOUR", [])


def test_a_default_list_is_not_shared(given):
    default = ["red"]

    env.listed("COLOUR", default).append("blue")

    assert default == ["red"]


def test_a_secret_is_read_from_the_file_that_is_named(monkeypatch, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("do not tell\n")
    monkeypatch.setenv("COLOUR_FILE", str(secret))

    assert env.text("COLOUR") == "do not tell"


def test_a_secret_file_that_is_missing_is_refused_without_a_guess(monkeypatch, tmp_path):
    monkeypatch.setenv("COLOUR_FILE", str(tmp_path / "absent"))

    with pytest.raises(ImproperlyConfigured, match="cannot be read"):
        env.text("COLOUR", "blue")


def test_a_value_and_a_file_for_it_together_are_refused(given, monkeypatch, tmp_path):
    given("red")
    monkeypatch.setenv("COLOUR_FILE", str(tmp_path / "secret"))

    with pytest.raises(ImproperlyConfigured, match="both set"):
        env.text("COLOUR")
