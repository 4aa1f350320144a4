"""Laboratories and people for tests."""

from itertools import count

from accounts.models import Laboratory, Role, User

PASSWORD = "correct horse battery"
_numbers = count(1)


def laboratory(**fields) -> Laboratory:
    return Laboratory.objects.create(**{"name": f"Laboratory {next(_numbers)}"} | fields)


def user(role: str = Role.CYTOTECHNOLOGIST, **fields) -> User:
    """A person of a laboratory of their own unless one is given; the password is `PASSWORD`."""
    number = next(_numbers)
    values = {"email": f"person{number}@example.org", "name": f"Person {number}", "role": role}
    fields.setdefault("password", PASSWORD)
    if "laboratory" not in fields:
        fields["laboratory"] = laboratory()
    return User.objects.create_user(**values | fields)


def cytotechnologist(**fields) -> User:
    return user(Role.CYTOTECHNOLOGIST, **fields)


def senior(**fields) -> User:
    """A cytotechnologist who may rescreen."""
    made = cytotechnologist(**fields)
    made.is_senior = True
    made.save(update_fields=["is_senior"])
    return made


def pathologist(**fields) -> User:
    return user(Role.PATHOLOGIST, **fields)


def administrator(**fields) -> User:
    return user(Role.ADMINISTRATOR, **fields)
