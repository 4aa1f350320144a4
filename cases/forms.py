"""What people type: an accession, a read, a change of a report, and the password that signs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.boundfield import BoundField, BoundWidget
from django.http import QueryDict

from accounts.forms import CredentialsForm, SettingsForm
from accounts.models import User
from cases import bethesda, correlation, reading, workflow
from cases.models import SET_LEVELS, Case, Histology, ReadingSettings, Task
from cases.signature import Change
from cases.workflow import Accession, Correction, LookBack, Tissue
from cases.workflow.quality import LONGEST_NOTE
from cases.workflow.reports import LONGEST_REASON, LONGEST_TEXT
from cases.workflow.words import LONGEST_NOTIFIED
from inference import registry
from inference.labels import CellClass
from inference.weights import WrongWeights


def _missing(sentence: str) -> dict[str, str]:
    """What a required field says when it is empty: what to do, rather than that it is required."""
    return {"required": sentence}


def _moment(label: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(
        label=label, required=False, widget=widget, help_text="In the time of the laboratory."
    )


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
        error_messages=_missing("Say whose specimen it is."),
        widget=forms.TextInput(attrs={"autofocus": True}),
    )
    patient_name = forms.CharField(max_length=200, required=False, help_text="Stored encrypted.")
    birth_date = _date("Stored encrypted.")
    higher_risk = forms.BooleanField(
        required=False,
        label="Higher-risk patient",
        help_text="Her negative cases are read twice before release.",
    )
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


class EraseForm(forms.Form):
    record_number = forms.CharField(
        label="Patient id",
        max_length=40,
        help_text="Type it once more: nothing brings an identity back.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Who asked, and when. It stays in the trail, so do not name the person.",
    )


def initial_of(case: Case) -> dict[str, Any]:
    """The form's fields as the case has them."""
    return {
        "accession_number": case.accession_number,
        "record_number": case.patient.record_number,
        "patient_name": case.patient.name,
        "birth_date": case.patient.birth_date,
        "higher_risk": case.patient.higher_risk,
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


class ReadForm(forms.Form):
    """Adequacy comes before interpretation (R3); whether they fit is for `bethesda.problems`."""

    adequacy = forms.ChoiceField(
        choices=bethesda.Adequacy.choices,
        widget=forms.RadioSelect,
        label="Specimen adequacy",
        error_messages=_missing("Say whether the specimen can be evaluated."),
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
        names = [field.name for field in fields(bethesda.Read)]
        return bethesda.Read.from_json({name: self.cleaned_data[name] for name in names})


def _change_reason() -> forms.CharField:
    return forms.CharField(
        max_length=1000,
        required=False,
        label="Why you changed your read after you saw what the model says",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Needed where the read or a finding is not as you committed it (R22).",
    )


class ConcludeForm(ReadForm):
    """What the reader stands by once they have seen the model's output; begins as committed."""

    change_reason = _change_reason()


class SignForm(ReadForm, CredentialsForm):
    """A read, the pictures that the report shows, and what signs it."""

    change_reason = _change_reason()
    pictures = forms.TypedMultipleChoiceField(coerce=UUID, required=False)

    def __init__(self, data: Any, pictures: Iterable[tuple[UUID, str]], **rest: Any) -> None:  # noqa: ANN401 -- as in the base class
        super().__init__(data, **rest)
        self.fields["pictures"].choices = list(pictures)  # type: ignore[attr-defined]


class ChangeForm(CredentialsForm):
    """Why a released report is changed, who was told, and what signs the change."""

    supersedes = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Stands in the new version. The report is pseudonymous: name no patient in it.",
        error_messages=_missing("Say why the report is changed."),
    )
    affects_care = forms.TypedChoiceField(
        choices=[("yes", "Yes"), ("no", "No")],
        coerce=lambda chosen: chosen == "yes",
        widget=forms.RadioSelect,
        label="Does this affect care of the patient?",
        error_messages=_missing("Say yes or no."),
    )
    notified = forms.CharField(
        max_length=LONGEST_NOTIFIED,
        required=False,
        label="Person notified",
        help_text="Name and function. Needed where care is affected.",
    )
    notified_at = _moment("Notified at")

    def change(self) -> Change:
        names = [field.name for field in fields(Change)]
        return Change(**{name: self.cleaned_data[name] for name in names})

    def is_said_by(self, text: Mapping[str, Any]) -> bool:
        """Whether the text of a report says already what this form would make it say."""
        change = text["change"] or {}
        return (change.get("supersedes"), change.get("reason")) == (
            self.cleaned_data["supersedes"],
            self.cleaned_data["reason"].strip(),
        )


class AddendForm(ChangeForm):
    text = forms.CharField(
        max_length=LONGEST_TEXT,
        label="Addendum",
        widget=forms.Textarea(attrs={"rows": 5}),
        error_messages=_missing("Write what is added."),
    )

    def is_said_by(self, text: Mapping[str, Any]) -> bool:
        return super().is_said_by(text) and text["addendum"] == self.cleaned_data["text"].strip()


EXCLUDED = "excluded: "


class AmendForm(ReadForm, ChangeForm):
    """Result and findings as they should have been; it begins with what the report says."""

    def __init__(self, data: Any, cells: Iterable[tuple[UUID, str]], **rest: Any) -> None:  # noqa: ANN401 -- as in the base class
        """Ask for the class of each cell too: ``cells`` are images with what is said of them."""
        super().__init__(data, **rest)
        self.known = {f"cell-{image}": (image, said) for image, said in cells}
        excluded = [f"{EXCLUDED}{reason}" for reason in reading.EXCLUSIONS]
        usual = [*CellClass, *excluded]
        for name, (_, said) in self.known.items():
            choices = usual if said in usual else [*usual, said]
            self.fields[name] = forms.ChoiceField(
                choices=[(choice, f"{choice[0].upper()}{choice[1:]}") for choice in choices],
                required=False,
                initial=said,
                label="Finding",
            )

    def cells(self) -> list[tuple[UUID, BoundField]]:
        return [(image, self[name]) for name, (image, _) in self.known.items()]

    def decisions(self) -> list[workflow.Decision]:
        """The findings that are to change."""
        return [
            workflow.Decision(image_id=image, exclusion=chosen.removeprefix(EXCLUDED))
            if chosen.startswith(EXCLUDED)
            else workflow.Decision(image_id=image, cell_class=chosen)
            for name, (image, said) in self.known.items()
            if (chosen := self.cleaned_data[name]) and chosen != said
        ]

    def is_said_by(self, text: Mapping[str, Any]) -> bool:
        is_same = text["read"] == self.read().to_json() and not self.decisions()
        return super().is_said_by(text) and is_same


class CorrectForm(ChangeForm):
    """What can be typed wrong at accession and in the comment."""

    record_number = forms.CharField(
        label="Patient id", max_length=40, error_messages=_missing("Say whose specimen it is.")
    )
    specimen_type = forms.ChoiceField(choices=bethesda.SpecimenType.choices)
    collected_on = _date()
    comment = forms.CharField(
        max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def correction(self) -> Correction:
        names = [field.name for field in fields(Correction)]
        return Correction(**{name: self.cleaned_data[name] for name in names})

    def is_said_by(self, text: Mapping[str, Any]) -> bool:
        said, day = self.correction(), text["collected_on"]
        return super().is_said_by(text) and said == Correction(
            record_number=text["patient"],
            specimen_type=text["specimen_type"],
            collected_on=date.fromisoformat(day) if day else None,
            comment=text["read"]["comment"],
        )


class ReadingForm(SettingsForm):
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
            "model_version",
            "set_level",
        ]
        labels = {"rescreen_percent": "Rescreens, in percent"}
        help_texts = {
            "primary_screening": "On: a cytotechnologist reads each case first, and the rules "
            "below say who sees it next. Off: it goes from classification straight to a "
            "pathologist, and those rules rest.",
            "reading_order": "Blind first keeps a reader from leaning on the model: they see "
            "neither its answers nor the names of files before they commit, and give a reason "
            "for what they change afterwards (R22).",
            "cytotechnologists_sign": "Who screened a negative case without reactive changes "
            "signs it out, unless a rescreen holds it. Off: a pathologist signs every case (R2).",
            "unsatisfactory_to_pathologist": "Off: where cytotechnologists sign, they sign out "
            "unsatisfactory specimens too (R2).",
            "endometrial_to_pathologist": "Off: where cytotechnologists sign, such cells keep no "
            "case from being signed out by its screener (R2).",
            "higher_risk": "Whose negative cases wait for a second reader whatever the draw says "
            "(R5).",
        }
        widgets = {"reading_order": forms.RadioSelect, "higher_risk": forms.RadioSelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- Django's
        super().__init__(*args, **kwargs)
        version, level = self.fields["model_version"], self.fields["set_level"]
        if isinstance(version, forms.ModelChoiceField):
            version.empty_label = "The current one"
        if isinstance(level, forms.TypedChoiceField):
            level.choices = [("", "The model\u2019s own"), *SET_LEVELS]

    def clean(self) -> dict[str, Any]:
        """The model must be there, and the level one that it knows."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        chosen, level = cleaned.get("model_version"), cleaned.get("set_level")
        if chosen or level:
            try:
                version = chosen or registry.current()
                known = registry.levels(version)
            except (registry.NoCurrentModel, WrongWeights) as error:
                raise forms.ValidationError(str(error)) from error
            if level and level not in known:
                raise forms.ValidationError(
                    {"set_level": f"{version} has no prediction sets at this level."}
                )
        return cleaned


class HandOverForm(forms.Form):
    """To whom a case is handed over, and what they should know."""

    to = forms.ModelChoiceField(
        User.objects.none(),
        label="To",
        empty_label="Choose a colleague",
        error_messages=_missing("Say to whom you hand the case over."),
    )
    comment = forms.CharField(
        max_length=workflow.LONGEST_COMMENT,
        required=False,
        label="What they should know",
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, colleagues: QuerySet[User], data: QueryDict | None = None) -> None:
        super().__init__(data, prefix="hand-over")
        field = cast("forms.ModelChoiceField[User]", self.fields["to"])
        field.queryset = colleagues


class ScreenerField(forms.ModelChoiceField):  # type: ignore[type-arg] # not at run time
    def label_from_instance(self, obj: User) -> str:
        return f"Another screening, by {obj.name}"


class SendBackForm(forms.Form):
    """What has to be mended; where a case was screened, by whom it is to be screened again."""

    screener = ScreenerField(
        User.objects.none(), required=False, label="What for", empty_label="Preparation"
    )
    comment = forms.CharField(
        max_length=workflow.LONGEST_COMMENT,
        label="What has to be mended",
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages=_missing("Say what has to be mended."),
    )

    def __init__(self, screeners: QuerySet[User], data: QueryDict | None = None) -> None:
        super().__init__(data, prefix="send-back")
        cast("ScreenerField", self.fields["screener"]).queryset = screeners
        if not screeners:
            del self.fields["screener"]


class LookBackForm(forms.Form):
    """What a second look at an earlier case found."""

    result = forms.ChoiceField(
        choices=Task.Result.choices,
        widget=forms.RadioSelect,
        label="What the second look found",
        error_messages=_missing("Say what the second look found."),
    )
    note = forms.CharField(
        max_length=LONGEST_NOTE, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    notified = forms.CharField(
        max_length=LONGEST_NOTIFIED,
        required=False,
        label="Who was notified",
        help_text="Where care is affected.",
    )
    notified_at = _moment("When they were notified")

    def look_back(self) -> LookBack:
        return LookBack(**self.cleaned_data)


class HistologyForm(forms.Form):
    """What a report on tissue says, and what caused a difference."""

    source = forms.ChoiceField(choices=Histology.Source.choices, label="Tissue")
    reported_on = forms.DateField(
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        label="Reported on",
        error_messages=_missing("Say on which day the tissue was reported."),
    )
    result = forms.ChoiceField(choices=correlation.HistologyResult.choices)
    cause = forms.ChoiceField(
        choices=[("", "They agree"), *correlation.Cause.choices],
        required=False,
        label="Cause of a difference",
    )
    note = forms.CharField(
        max_length=LONGEST_NOTE, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def tissue(self) -> Tissue:
        return Tissue(**self.cleaned_data)


class WorkloadForm(forms.Form):
    hours = forms.DecimalField(
        min_value=Decimal("0.5"),
        max_value=24,
        decimal_places=1,
        label="Hours of reading in a day",
        help_text="Fewer hours allow fewer slides: 100 for 8 hours or more.",
    )
    slides = forms.IntegerField(min_value=0, max_value=100, label="At most so many slides in 24 h")
