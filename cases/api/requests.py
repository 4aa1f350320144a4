"""What may be sent: an accession, findings, a read, a change of a report, and a password."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cases import bethesda, signature, workflow
from cases.forms import initial_of
from cases.models import CELL_CLASSES, Case
from cases.signed import SignedContent
from cases.workflow.reports import LONGEST_REASON, LONGEST_TEXT
from cases.workflow.words import LONGEST_NOTIFIED


class AccessionSerializer(serializers.Serializer[workflow.Accession]):
    """What is said of a specimen; an accession number left out is chosen by the server."""

    record_number = serializers.CharField(max_length=40, help_text="The patient's pseudonym.")
    specimen_type = serializers.ChoiceField(choices=bethesda.SpecimenType.choices)
    accession_number = serializers.CharField(max_length=40, required=False, allow_blank=True)
    patient_name = serializers.CharField(
        max_length=200, required=False, allow_blank=True, help_text="Stored encrypted."
    )
    birth_date = serializers.DateField(
        required=False, allow_null=True, help_text="Stored encrypted."
    )
    higher_risk = serializers.BooleanField(
        required=False, help_text="Negative cases of the patient are read twice (R5)."
    )
    collected_on = serializers.DateField(required=False, allow_null=True)
    priority = serializers.ChoiceField(choices=Case.Priority.choices, required=False)
    clinical_note = serializers.CharField(max_length=4000, required=False, allow_blank=True)

    def accession(self) -> workflow.Accession:
        return workflow.Accession(**self.validated_data)

    def revision_of(self, case: Case) -> workflow.Accession:
        """What was sent over what is known; another patient inherits neither name nor risk."""
        known = initial_of(case)
        sent: dict[str, Any] = self.validated_data
        patient = known["record_number"]
        if sent.get("record_number", patient).casefold() != patient.casefold():
            known |= {"patient_name": "", "birth_date": None, "higher_risk": False}
        return workflow.Accession(**(known | sent))


class EraseSerializer(serializers.Serializer[Any]):
    """The patient's id once more, as nothing brings an identity back."""

    record_number = serializers.CharField(max_length=40)
    reason = serializers.CharField(
        max_length=LONGEST_REASON, help_text="Who asked, and when; without the person's name."
    )


class UploadSerializer(serializers.Serializer[Any]):
    """One or many pictures or zip archives, each in a part of its own, all named ``file``."""

    file = serializers.ListField(
        child=serializers.FileField(allow_empty_file=True),
        allow_empty=False,
        error_messages={
            "required": "Send at least one file, as a part named file.",
            "empty": "Send at least one file, as a part named file.",
        },
    )


# The verb knows the classes and names an unknown one in a sentence: the schema only tells them.
@extend_schema_field({"type": "string", "enum": [*(name for name, _ in CELL_CLASSES), ""]})
class CellClassField(serializers.CharField):
    pass


class DecisionSerializer(serializers.Serializer[workflow.Decision]):
    """A class, a reason to exclude the cell, or neither, which withdraws the finding there is."""

    image = serializers.UUIDField(source="image_id")
    cell_class = CellClassField(required=False, allow_blank=True)
    exclusion = serializers.CharField(max_length=200, required=False, allow_blank=True)
    replaces = serializers.UUIDField(
        required=False, allow_null=True, help_text="The standing finding that you have seen."
    )


class DecisionsSerializer(serializers.Serializer[Any]):
    """All of them are kept, or none."""

    decisions = DecisionSerializer(many=True, allow_empty=False)

    def list_decisions(self) -> list[workflow.Decision]:
        return [workflow.Decision(**decision) for decision in self.validated_data["decisions"]]


class DisplaysSerializer(serializers.Serializer[Any]):
    """Cells that were in sight of the person who asks."""

    images = serializers.ListField(child=serializers.UUIDField(), allow_empty=False)


def _several(terms: Mapping[str, bethesda.Term]) -> serializers.ListField:
    choices = [(term.code, term.label) for term in terms.values()]
    return serializers.ListField(child=serializers.ChoiceField(choices=choices), required=False)


class ReadSerializer(serializers.Serializer[bethesda.Read]):
    """A read in codes, the leading interpretation first."""

    adequacy = serializers.ChoiceField(choices=bethesda.Adequacy.choices)
    reasons = _several(bethesda.REASONS)
    ec_tz = serializers.ChoiceField(
        choices=bethesda.TransformationZone.choices,
        required=False,
        allow_null=True,
        allow_blank=True,
    )
    quality = _several(bethesda.QUALITY_INDICATORS)
    interpretations = _several(bethesda.INTERPRETATIONS)
    observations = _several(bethesda.OBSERVATIONS)
    comment = serializers.CharField(max_length=4000, required=False, allow_blank=True)

    def read(self) -> bethesda.Read:
        names = {field.name for field in fields(bethesda.Read)}
        return bethesda.Read.from_json(
            {name: value for name, value in self.validated_data.items() if name in names}
        )


class ChangeReasonField(serializers.CharField):
    """Why a blind read was changed after it was committed."""

    def __init__(self) -> None:
        super().__init__(
            max_length=1000,
            required=False,
            allow_blank=True,
            help_text="Needed where a read that was committed blind is another now (R22).",
        )


class ConcludeSerializer(ReadSerializer):
    """What the reader stands by, once they have seen the model's output."""

    change_reason = ChangeReasonField()


class CredentialsSerializer(serializers.Serializer[Any]):
    """What signs, with a token as without (R15)."""

    password = serializers.CharField(trim_whitespace=False, write_only=True)
    code = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=40,
        write_only=True,
        help_text="Of your app, or a recovery code: asked for where you have a second factor.",
    )

    def given(self) -> dict[str, str]:
        names = self.validated_data.keys() & {"password", "code"}
        return {name: self.validated_data[name] for name in names}


class SignSerializer(ReadSerializer, CredentialsSerializer):
    """A read in codes, the pictures for the report, and what signs it."""

    change_reason = ChangeReasonField()
    pictures = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=signature.MOST_PICTURES,
        help_text="Images that the report shows; left out, the abnormal ones.",
    )


class ChangeSerializer(CredentialsSerializer):
    """Why a released report is changed, who was told, and what signs the change."""

    supersedes = serializers.IntegerField(
        min_value=1, max_value=32767, help_text="The version that you have seen."
    )
    reason = serializers.CharField(max_length=LONGEST_REASON)
    affects_care = serializers.BooleanField()
    notified = serializers.CharField(max_length=LONGEST_NOTIFIED, required=False, allow_blank=True)
    notified_at = serializers.DateTimeField(required=False, allow_null=True)

    def change(self) -> signature.Change:
        names = {field.name for field in fields(signature.Change)}
        return signature.Change(
            **{name: value for name, value in self.validated_data.items() if name in names}
        )


class AddendSerializer(ChangeSerializer):
    text = serializers.CharField(max_length=LONGEST_TEXT)


class AmendedCellSerializer(serializers.Serializer[workflow.Decision]):
    """What a cell is: its class, or why it is excluded."""

    image = serializers.UUIDField(source="image_id")
    cell_class = CellClassField(required=False, allow_blank=True)
    exclusion = serializers.CharField(max_length=200, required=False, allow_blank=True)


class AmendSerializer(ReadSerializer, ChangeSerializer):
    """The whole result as it should have been, and the cells whose findings change."""

    cells = AmendedCellSerializer(many=True, required=False)

    def decisions(self) -> list[workflow.Decision]:
        return [workflow.Decision(**cell) for cell in self.validated_data.get("cells", ())]


class CorrectSerializer(ChangeSerializer):
    """What was typed wrong, as it should be; what is not sent stays."""

    record_number = serializers.CharField(max_length=40, required=False)
    specimen_type = serializers.ChoiceField(choices=bethesda.SpecimenType.choices, required=False)
    collected_on = serializers.DateField(required=False, allow_null=True)
    comment = serializers.CharField(max_length=4000, required=False, allow_blank=True)

    def correction(self, said: SignedContent) -> workflow.Correction:
        """What was sent over what the report says."""
        known = {
            "record_number": said.text["patient"],
            "specimen_type": said.text["specimen_type"],
            "collected_on": said.collected_on,
            "comment": said.read.comment,
        }
        sent = {name: value for name, value in self.validated_data.items() if name in known}
        return workflow.Correction(**(known | sent))


class HandOverSerializer(serializers.Serializer[Any]):
    """To whom a case goes, and what they should know."""

    to = serializers.IntegerField(help_text="The id of a colleague who can read the case.")
    comment = serializers.CharField(
        max_length=workflow.LONGEST_COMMENT, allow_blank=True, default=""
    )


class SendBackSerializer(serializers.Serializer[Any]):
    """What has to be mended, and by whom: who accessioned the case, or a screener."""

    comment = serializers.CharField(max_length=workflow.LONGEST_COMMENT)
    screener = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="The id of a cytotechnologist, where the case is to be screened again.",
    )
