"""What people type: an accession, and a read with the password that signs it."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundField, BoundWidget

from cases import bethesda
from cases.models import Case, ReadingSettings
from cases.workflow import Accession


def _date(help_text: str = "") -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(required=False, widget=widget, help_text=help_text)


class AccessionForm(forms.Form):
    accession_number = forms.CharField(
        max_length=40,
        required=False,
        help_text="Suggested by the server; yours may be any that is free in your laboratory.",
    )
    record_number = forms.CharField(
        label="Patient id",
        max_length=40,
        help_text="A pseudonym: the same id is the same patient.",
        widget=forms.TextInput(attrs={"autofocus": True}),
    )
    patient_name = forms.CharField(max_length=200, required=False, help_text="Stored encrypted.")
    birth_date = _date("Stored encrypted.")
    specimen_type = forms.ChoiceField(choices=bethesda.SpecimenType.choices)
    collected_on = _date()
    priority = forms.ChoiceField(choices=Case.Priority.choices, initial=Case.Priority.ROUTINE)
    clinical_note = forms.CharField(
        max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def accession(self) -> Accession:
        """What was typed, as the workflow takes it."""
        return Accession(**self.cleaned_data)

    def refuse(self, error: ValidationError) -> None:
        """Show what the workflow refused beside the fields that it names."""
        for field, sentences in error.message_dict.items():
            self.add_error(field if field in self.fields else None, sentences)


def initial_of(case: Case) -> dict[str, Any]:
    """The form's fields as the case has them."""
    return {
        "accession_number": case.accession_number,
        "record_number": case.patient.record_number,
        "patient_name": case.patient.name,
        "birth_date": case.patient.birth_date,
        "specimen_type": case.specimen_type,
        "collected_on": case.collected_on,
        "priority": case.priority,
        "clinical_note": case.clinical_note,
    }


def _several(terms: Mapping[str, bethesda.Term]) -> forms.MultipleChoiceField:
    choices = [(term.code, term.label) for term in terms.values()]
    return forms.MultipleChoiceField(
        choices=choices, required=False, widget=forms.CheckboxSelectMultiple
    )


def _grouped(field: BoundField, group: Callable[[str], str]) -> dict[str, list[BoundWidget]]:
    """The choices of a field by what `group` says of their codes, in the order of the choices."""
    grouped: dict[str, list[BoundWidget]] = {}
    for choice in field.subwidgets:
        grouped.setdefault(group(str(choice.data["value"])), []).append(choice)
    return grouped


class SignForm(forms.Form):
    """Adequacy comes before interpretation (R3); whether they fit is for `bethesda.problems`."""

    adequacy = forms.ChoiceField(
        choices=bethesda.Adequacy.choices, widget=forms.RadioSelect, label="Specimen adequacy"
    )
    reasons = _several(bethesda.REASONS)
    ec_tz = forms.ChoiceField(
        choices=[("", "Not stated"), *bethesda.TransformationZone.choices],
        required=False,
        widget=forms.RadioSelect,
        label="Endocervical/transformation zone component",
    )
    quality = _several(bethesda.QUALITY_INDICATORS)
    interpretations = _several(bethesda.INTERPRETATIONS)
    observations = _several(bethesda.OBSERVATIONS)
    comment = forms.CharField(
        max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    password = forms.CharField(
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        label="Your password",
    )

    def reason_groups(self) -> dict[str, list[BoundWidget]]:
        """The reasons under the kind of unsatisfactory specimen that each belongs to."""
        return _grouped(self["reasons"], lambda code: bethesda.REASONS[code].adequacy.value)

    def interpretation_groups(self) -> dict[str, list[BoundWidget]]:
        terms = bethesda.INTERPRETATIONS
        return _grouped(self["interpretations"], lambda code: terms[code].category.label)

    def observation_groups(self) -> dict[str, list[BoundWidget]]:
        terms = bethesda.OBSERVATIONS
        return _grouped(self["observations"], lambda code: terms[code].group.value)

    def read(self) -> bethesda.Read:
        """What was chosen, as a read in codes."""
        sent = {name: value for name, value in self.cleaned_data.items() if name != "password"}
        return bethesda.Read.from_json(sent)


class ReadingForm(forms.ModelForm):  # type: ignore[type-arg] # not at run time
    """How the laboratory reads; the order is the one in which a case meets each setting."""

    class Meta:
        model = ReadingSettings
        fields = [
            "primary_screening",
            "reading_order",
            "cytotechnologists_sign",
            "unsatisfactory_to_pathologist",
            "endometrial_to_pathologist",
            "rescreen_percent",
            "higher_risk",
        ]
        labels = {"rescreen_percent": "Rescreens, in percent"}
        widgets = {"reading_order": forms.RadioSelect, "higher_risk": forms.RadioSelect}

    def wanted(self) -> dict[str, Any]:
        """What was chosen, by the name of the setting."""
        return {name: self.cleaned_data[name] for name in self.Meta.fields}
