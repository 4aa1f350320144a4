"""Fields that are encrypted at rest, on a real table."""

from datetime import date

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError, ImproperlyConfigured, ValidationError
from django.db import connection, models, transaction
from django.test import override_settings
from django.test.utils import isolate_apps

from accounts.encryption import MissingKey
from cases.encryption import EncryptedDateField, EncryptedTextField

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def person(db):
    """A table of people that exists for one test."""
    with isolate_apps("cases"):

        class Person(models.Model):  # noqa: DJ008 -- lives for one test
            name = EncryptedTextField(blank=True, default="")
            birth_date = EncryptedDateField(null=True, blank=True)

            class Meta:
                app_label = "cases"
                db_table = "test_encryption_person"

        with connection.schema_editor() as editor:
            editor.create_model(Person)
        yield Person


def stored(person, column):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {person._meta.db_table}")  # noqa: S608, SLF001
        return [row[0] for row in cursor.fetchall()]


def test_a_value_is_read_as_it_was_written_and_never_stored_so(person):
    person.objects.create(name="Ada Ångström", birth_date=date(1980, 2, 29))

    kept = person.objects.get()

    assert (kept.name, kept.birth_date) == ("Ada Ångström", date(1980, 2, 29))
    [name], [birth_date] = stored(person, "name"), stored(person, "birth_date")
    assert "Ada" not in name
    assert "1980" not in birth_date


def test_equal_values_do_not_look_equal_in_the_table(person):
    person.objects.create(name="Ada")
    person.objects.create(name="Ada")

    first, second = stored(person, "name")

    assert first != second


def test_what_is_not_there_stays_visible_as_such(person):
    person.objects.create()

    kept = person.objects.get()

    assert (kept.name, kept.birth_date) == ("", None)
    assert (stored(person, "name"), stored(person, "birth_date")) == ([""], [None])
    assert person.objects.filter(birth_date__isnull=True).count() == 1


def test_every_way_of_writing_encrypts(person):
    people = person.objects.bulk_create([person(name="Ada"), person(name="Eve")])
    for one in people:
        one.name += " Smith"
    person.objects.bulk_update(people, ["name"])
    person.objects.update(birth_date=date(1970, 1, 1))

    assert sorted(one.name for one in person.objects.all()) == ["Ada Smith", "Eve Smith"]
    assert {one.birth_date for one in person.objects.all()} == {date(1970, 1, 1)}
    assert not any("Smith" in token for token in stored(person, "name"))
    assert not any("1970" in token for token in stored(person, "birth_date"))
    assert set(person.objects.values_list("birth_date", flat=True)) == {date(1970, 1, 1)}


def test_a_new_key_in_front_encrypts_and_the_old_one_still_decrypts(person):
    with override_settings(PATIENT_KEYS=[OLD]):
        person.objects.create(name="Ada")

    with override_settings(PATIENT_KEYS=[NEW, OLD]):
        kept = person.objects.get()
        assert kept.name == "Ada"
        kept.save()

    with override_settings(PATIENT_KEYS=[NEW]):
        assert person.objects.get().name == "Ada"


def test_a_key_that_is_gone_is_said_and_not_guessed(person):
    with override_settings(PATIENT_KEYS=[OLD]):
        person.objects.create(name="Ada")

    with override_settings(PATIENT_KEYS=[NEW]), pytest.raises(MissingKey, match="PATIENT_KEYS"):
        person.objects.get()


@pytest.mark.parametrize(
    ("keys", "sentence"), [([], "PATIENT_KEYS is empty"), (["secret"], "no Fernet key")]
)
def test_keys_that_are_none_are_refused(person, keys, sentence):
    with (
        override_settings(PATIENT_KEYS=keys),
        pytest.raises(ImproperlyConfigured, match=sentence),
    ):
        person.objects.create(name="Ada")


@pytest.mark.parametrize(
    "lookup",
    [
        {"name": "Ada"},
        {"name__icontains": "Ada"},
        {"birth_date": date(1980, 2, 29)},
        {"birth_date__lt": date(1980, 2, 29)},
        {"birth_date__year": 1980},
        {"name__in": ["Ada"]},
    ],
)
def test_a_search_by_value_is_refused_with_a_sentence(person, lookup):
    with pytest.raises(FieldError, match="is encrypted and cannot be searched"):
        person.objects.filter(**lookup).first()


def test_a_date_is_checked_before_it_is_encrypted(person):
    with pytest.raises(ValidationError), transaction.atomic():
        person.objects.create(birth_date="30 February")

    assert stored(person, "birth_date") == []


def test_forms_ask_for_a_line_of_text_and_for_a_date(person):
    field = person._meta.get_field  # noqa: SLF001

    assert field("name").formfield().widget.input_type == "text"
    assert field("birth_date").formfield().clean("1980-02-29") == date(1980, 2, 29)
