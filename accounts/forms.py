"""What is checked about a form before a verb is asked."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.authentication import WrongPassword, confirm_password, recognise
from accounts.models import ApiToken, Invitation, Laboratory, Role, login_name, time_zones


class LoginForm(AuthenticationForm):
    """One sentence for every failure: it tells nobody whether an address has an account."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "E-mail address and password do not match an active account.",
    }
    username = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )

    def clean_username(self) -> str:
        """Written one way, so that the lock-out counts every spelling of an address together."""
        return login_name(self.cleaned_data["username"])

    def clean(self) -> dict[str, Any]:
        """As in the base class, but a failure is put on record."""
        email, password = (self.cleaned_data.get(name) for name in ("username", "password"))
        if email and password and self.request:
            self.user_cache = recognise(self.request, email, "at log-in", password=password)
            if self.user_cache is None:
                raise self.get_invalid_login_error()
        return self.cleaned_data


class OwnPasswordForm(PasswordChangeForm):
    """A new password for oneself; wrong old ones count towards the lock-out, as at log-in."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self.request = request
        self.fields["old_password"].label = "Your password until now"

    def clean_old_password(self) -> str:
        password: str = self.cleaned_data["old_password"]
        try:
            confirm_password(self.request, password)
        except WrongPassword as error:
            raise ValidationError(str(error)) from error
        return password


class FactorForm(forms.Form):
    """What is given beside the password: a code that was typed, or a passkey's answer."""

    code = forms.CharField(
        required=False,
        max_length=40,
        label="Code",
        help_text="Six digits of your authenticator app, or a recovery code.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "spellcheck": "false"}),
    )
    passkey = forms.CharField(required=False, max_length=20_000, widget=forms.HiddenInput)

    def given(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in ("code", "passkey")}


class CredentialsForm(FactorForm):
    """What signs: the password, and the second factor where it is asked for (R15)."""

    password = forms.CharField(
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        label="Your password",
        error_messages={"required": "Your password is missing."},
    )

    def given(self) -> dict[str, str]:
        return super().given() | {"password": self.cleaned_data["password"]}


class AppForm(CredentialsForm):
    """A new authenticator app, shown to work by a code of it."""

    name = forms.CharField(max_length=100, label="What you call it", initial="Phone")
    first_code = forms.CharField(
        max_length=10,
        label="The code that the app shows now",
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
    )
    field_order = ("name", "first_code", "password", "code")


class PasskeyForm(CredentialsForm):
    """A new passkey; the browser's script fills in what it has made."""

    name = forms.CharField(max_length=100, label="What you call it", initial="Passkey")
    made = forms.CharField(
        required=False, max_length=20_000, widget=forms.HiddenInput(attrs={"data-made": ""})
    )
    field_order = ("name", "password", "code")


class InvitationForm(forms.ModelForm):  # type: ignore[type-arg] # not at run time
    class Meta:
        model = Invitation
        fields = ["email", "name", "role"]
        widgets = {
            "email": forms.EmailInput(attrs={"autocomplete": "off"}),
            "name": forms.TextInput(attrs={"autocomplete": "off"}),
        }
        help_texts = {
            "email": "The person logs in with it; it stays theirs.",
            "name": "As it stands under a signature, for example Dr Ada Sample.",
        }

    def clean_email(self) -> str:
        return login_name(self.cleaned_data["email"])


class RoleForm(forms.Form):
    role = forms.ChoiceField(label="Role from now on", choices=Role.choices)


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg] # not at run time
    """Settings as a page shows them, each with what it was when the page was made.

    What was left as it was is not saved: a page of an hour ago does not undo a colleague's change.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- Django's
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True

    def wanted(self) -> dict[str, Any]:
        """What was changed on the page, by the name of the setting."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class LaboratoryForm(SettingsForm):
    class Meta:
        model = Laboratory
        fields = [
            "name",
            "time_zone",
            "letterhead",
            "idle_minutes",
            "signing_minutes",
            "requires_second_factor",
            "routine_turnaround_hours",
            "urgent_turnaround_hours",
        ]
        labels = {
            "name": "Name of the laboratory",
            "idle_minutes": "Minutes until log-off",
            "signing_minutes": "Minutes of a signing session",
            "requires_second_factor": "Everybody needs a second factor",
            "routine_turnaround_hours": "Turnaround of routine cases",
            "urgent_turnaround_hours": "Turnaround of urgent cases",
        }
        help_texts = {"time_zone": "A name of the IANA database, for example Europe/Berlin."}
        widgets = {
            "time_zone": forms.TextInput(attrs={"list": "time-zones"}),
            "letterhead": forms.Textarea(attrs={"rows": 3}),
        }

    def clean_time_zone(self) -> str:
        """Accept any spelling: europe/berlin is Europe/Berlin."""
        typed: str = self.cleaned_data["time_zone"].strip().replace(" ", "_")
        known = {name.casefold(): name for name in time_zones()}
        return known.get(typed.casefold(), typed)


class TokenForm(forms.ModelForm):  # type: ignore[type-arg] # not at run time
    class Meta:
        model = ApiToken
        fields = ["name"]
        labels = {"name": "What the token is for"}
        help_texts = {"name": "For example: upload from the scanner."}
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "off"})}
