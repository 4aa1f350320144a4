"""Model fields whose values are encrypted at rest, for what would name a patient.

A column holds Fernet tokens, see `accounts.encryption`. A token is different each time, hence
nothing is found by its value: only ``isnull`` can be asked.
"""

from datetime import date
from typing import Any, NoReturn

from django import forms
from django.core.exceptions import FieldError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Expression

from accounts.encryption import decrypt, encrypt


class _EncryptedMixin:
    """A text column of tokens; empty text and null stay what they are and hide nothing."""

    name: str

    def get_internal_type(self) -> str:
        return "TextField"

    def from_db_value(
        self, value: str | None, _expression: Expression, _connection: BaseDatabaseWrapper
    ) -> Any:  # noqa: ANN401 -- what it is depends on the field
        return self.to_python(decrypt(value) if value else value)  # type: ignore[attr-defined]

    def get_db_prep_value(
        self,
        value: Any,  # noqa: ANN401 -- Django's signature
        connection: BaseDatabaseWrapper,  # noqa: ARG002 -- Django's signature
        prepared: bool = False,  # noqa: FBT002 -- Django's signature
    ) -> Any:  # noqa: ANN401 -- Django's signature
        """The one place where a value becomes a token, whichever way it is written."""
        value = value if prepared else self.get_prep_value(value)  # type: ignore[attr-defined]
        return encrypt(str(value)) if value not in (None, "") else value

    def get_lookup(self, lookup_name: str) -> Any:  # noqa: ANN401 -- Django's signature
        if lookup_name != "isnull":
            self._refuse(lookup_name)
        return super().get_lookup(lookup_name)  # type: ignore[misc]

    def get_transform(self, lookup_name: str) -> NoReturn:
        self._refuse(lookup_name)

    def _refuse(self, lookup_name: str) -> NoReturn:
        raise FieldError(
            f"{self.name} is encrypted and cannot be searched by “{lookup_name}”: ask only isnull,"
            " or find the patient by record number."
        )


class EncryptedTextField(_EncryptedMixin, models.TextField):  # type: ignore[type-arg]
    """Text for people, encrypted at rest."""

    def formfield(self, **kwargs: Any) -> Any:  # noqa: ANN401 -- Django's signature
        return super().formfield(**{"widget": forms.TextInput, **kwargs})


class EncryptedDateField(_EncryptedMixin, models.DateField):  # type: ignore[type-arg]
    """A date, encrypted at rest as ISO text."""

    def get_prep_value(self, value: Any) -> date | None:  # noqa: ANN401 -- Django's signature
        day: date | None = self.to_python(value)
        return day
