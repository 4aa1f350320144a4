"""What is told of a case, its images, the model's answers and the readers' findings."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from django.db.models import Model
from django.urls import reverse
from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import User
from cases import activation, permissions, queries, sight, signature, uploads
from cases.models import (
    AuditEvent,
    Case,
    CellImage,
    ClassificationFailure,
    Comment,
    Finding,
    Patient,
    Prediction,
    Report,
    Review,
    Run,
)
from inference.labels import CellClass
from inference.models import ModelVersion

_M = TypeVar("_M", bound=Model)


@extend_schema_field({"type": "string", "enum": [signature.DISCLAIMER]})
class DisclaimerField(serializers.Field[Any, Any, str, Any]):
    """What every answer about cases carries (R28)."""

    def __init__(self) -> None:
        super().__init__(source="*", read_only=True)

    def to_representation(self, value: Any) -> str:  # noqa: ANN401 -- whatever is told
        return signature.DISCLAIMER


@extend_schema_field({"type": "string", "format": "uri"})
class PictureField(serializers.Field[Any, Any, str, Any]):
    """The absolute address under which the site shows an image."""

    def __init__(self, url_name: str) -> None:
        super().__init__(source="*", read_only=True)
        self.url_name = url_name

    def to_representation(self, value: CellImage) -> str:
        path = reverse(self.url_name, args=[value.case_id, value.pk])
        return cast("str", self.context["request"].build_absolute_uri(path))


class PersonSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ("id", "name", "role")


class IdentitySerializer(serializers.ModelSerializer[_M]):
    """Leaves out what names a patient, for those who need not know it."""

    identifying: tuple[str, ...] = ()

    def to_representation(self, instance: _M) -> dict[str, Any]:
        told = super().to_representation(instance)
        if not permissions.can_see_patient_identity(self.context["request"].user):
            for field in self.identifying:
                told.pop(field, None)
        return told


class PatientSerializer(IdentitySerializer[Patient]):
    """Name and birth date are left out for those who may not see a patient's identity."""

    identifying = ("name", "birth_date", "higher_risk")
    name = serializers.CharField(required=False)
    birth_date = serializers.DateField(required=False, allow_null=True)
    higher_risk = serializers.BooleanField(required=False)

    class Meta:
        model = Patient
        fields = ("record_number", "name", "birth_date", "higher_risk")


class PseudonymSerializer(serializers.ModelSerializer[Patient]):
    class Meta:
        model = Patient
        fields = ("record_number",)


_CASE = (
    "id",
    "accession_number",
    "patient",
    "specimen_type",
    "collected_on",
    "priority",
    "status",
    "accessioned_by",
    "accessioned_at",
    "due_at",
    "is_overdue",
    "submitted_at",
    "reviewer",
    "holder",
    "held_since",
    "signed_at",
)


class CaseRowSerializer(serializers.ModelSerializer[Case]):
    """A case in a list."""

    patient = PseudonymSerializer()
    accessioned_by = PersonSerializer()
    reviewer = PersonSerializer(allow_null=True)
    holder = PersonSerializer(allow_null=True)
    is_overdue = serializers.BooleanField()
    image_count = serializers.IntegerField()

    class Meta:
        model = Case
        fields = (*_CASE, "image_count")


class CaseNameSerializer(serializers.ModelSerializer[Case]):
    """Which case is meant."""

    class Meta:
        model = Case
        fields = ("id", "accession_number", "signed_at")


class ImageSerializer(serializers.ModelSerializer[CellImage]):
    name = serializers.SerializerMethodField(
        help_text="As uploaded; left out while whoever asks may have to read the case blind."
    )
    picture = PictureField("image")
    thumbnail = PictureField("thumbnail")

    class Meta:
        model = CellImage
        fields = (
            "id",
            "name",
            "width",
            "height",
            "digest",
            "source_format",
            "micrometres",
            "uploaded_at",
            "picture",
            "thumbnail",
        )

    def get_name(self, image: CellImage) -> str | None:
        return image.name if self.context.get("with_names", True) else None


class ModelNameSerializer(serializers.ModelSerializer[ModelVersion]):
    """Which model answered (R25)."""

    class Meta:
        model = ModelVersion
        fields = ("name", "digest", "preprocessing_version")


class ModelVersionSerializer(serializers.ModelSerializer[ModelVersion]):
    """A model, with the figures that were measured on its grouped splits."""

    labels = serializers.ListField(child=serializers.CharField())
    figures = serializers.DictField()
    disclaimer = DisclaimerField()

    class Meta:
        model = ModelVersion
        fields = (
            "name",
            "digest",
            "labels",
            "preprocessing_version",
            "figures",
            "registered_at",
            "disclaimer",
        )


CLASSES = [cell_class.value for cell_class in CellClass]
PROBABILITIES = {
    "type": "object",
    "properties": {name: {"type": "number"} for name in CLASSES},
    "required": CLASSES,
}


PLACES = {
    "type": "array",
    "minItems": min(activation.SIDES),
    "maxItems": max(activation.SIDES),
    "items": {
        "type": "array",
        "minItems": min(activation.SIDES),
        "maxItems": max(activation.SIDES),
        "items": {"type": "number"},
    },
}
MAPS = {
    "type": "object",
    "properties": dict.fromkeys(CLASSES, PLACES),
    "required": CLASSES,
}


class ActivationSerializer(serializers.Serializer[Any]):
    """How much each place of the picture spoke for each class: rows first, from the top."""

    image = serializers.UUIDField()
    maps = serializers.SerializerMethodField()
    strongest = serializers.FloatField(help_text="The largest value of the case's cells.")
    disclaimer = DisclaimerField()

    @extend_schema_field(MAPS)
    def get_maps(self, told: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- lists by class
        return told["maps"]


class PredictionSerializer(serializers.ModelSerializer[Prediction]):
    """A model version's answer for one image: read-only, and never a diagnosis.

    Where the model abstained the cell needs a human look: there is no class, and ``reasons`` say
    why; the numbers behind it are told all the same.
    """

    image = serializers.UUIDField(source="image_id")
    cell_class = serializers.SerializerMethodField()
    abstained = serializers.BooleanField()
    reasons = serializers.ListField(child=serializers.CharField())
    prediction_set = serializers.ListField(child=serializers.ChoiceField(CLASSES))
    probabilities = serializers.SerializerMethodField()
    model_version = ModelNameSerializer()

    class Meta:
        model = Prediction
        fields = (
            "image",
            "cell_class",
            "abstained",
            "reasons",
            "prediction_set",
            "level",
            "familiarity",
            "disagreement",
            "confidence",
            "abnormality",
            "probabilities",
            "model_version",
            "created_at",
        )

    @extend_schema_field({"type": "string", "enum": CLASSES, "nullable": True})
    def get_cell_class(self, prediction: Prediction) -> str | None:
        return prediction.stated_class or None

    @extend_schema_field(PROBABILITIES)
    def get_probabilities(self, prediction: Prediction) -> dict[str, float]:
        labels = prediction.model_version.labels
        return dict(zip(labels, prediction.probabilities, strict=True))


class FailureSerializer(serializers.ModelSerializer[ClassificationFailure]):
    """An image that the latest run could not read."""

    image = serializers.UUIDField(source="image_id")

    class Meta:
        model = ClassificationFailure
        fields = ("image", "reason")


class FindingSerializer(serializers.ModelSerializer[Finding]):
    """The reader's word on one image; ``agrees`` compares it with what the model said.

    It is null where there is nothing to compare, and while the reader may not see the model's word.
    """

    image = serializers.UUIDField(source="image_id")
    agrees = serializers.SerializerMethodField()
    amended_by = PersonSerializer(allow_null=True)

    class Meta:
        model = Finding
        fields = ("id", "image", "cell_class", "exclusion", "agrees", "amended_by", "made_at")

    def get_agrees(self, finding: Finding) -> bool | None:
        return finding.agrees if self.context["sight"].model else None


class RunSerializer(serializers.ModelSerializer[Run]):
    model_version = ModelNameSerializer()

    class Meta:
        model = Run
        fields = (
            "id",
            "model_version",
            "attempt",
            "status",
            "queued_at",
            "started_at",
            "finished_at",
            "failure",
        )


class ProgressSerializer(serializers.Serializer[queries.Progress]):
    """How far the latest run is."""

    images = serializers.IntegerField()
    answered = serializers.IntegerField()
    failed = serializers.IntegerField()


class ReportChangeSerializer(serializers.Serializer[Any]):
    """Why a version was issued after the release, and who was notified."""

    supersedes = serializers.IntegerField()
    supersedes_digest = serializers.CharField()
    reason = serializers.CharField()
    affects_care = serializers.BooleanField()
    notified = serializers.CharField(allow_null=True)
    notified_at = serializers.DateTimeField(allow_null=True)


def _said(report: Report) -> dict[str, Any]:
    """The text of a report; nothing where it is no report any more, which `matches` tells."""
    text = json.loads(report.content)  # the database keeps no other text
    return text if isinstance(text, dict) else {}


class ReadSerializer(serializers.ModelSerializer[Review]):
    """A committed read: what the reader said on their own, and what they stand by (R11, R22).

    What was committed and why it was changed is null while you have yet to read without the model.
    """

    reader = PersonSerializer()
    committed_read = serializers.SerializerMethodField()
    change_reason = serializers.SerializerMethodField()

    class Meta:
        model = Review
        fields = (
            "kind",
            "reader",
            "is_blind",
            "committed_at",
            "committed_read",
            "read",
            "change_reason",
            "outcome",
            "why",
            "superseded_at",
        )

    @extend_schema_field({"type": "object", "nullable": True, "additionalProperties": {}})
    def get_committed_read(self, review: Review) -> Any:  # noqa: ANN401 -- a read as JSON
        return review.committed_read if self.context["sight"].model else None

    @extend_schema_field({"type": "string", "nullable": True})
    def get_change_reason(self, review: Review) -> str | None:
        return review.change_reason if self.context["sight"].model else None


class ReportSerializer(serializers.ModelSerializer[Report]):
    """A version of the signed report; ``matches``: whether it is still what was signed (R16)."""

    signed_by = PersonSerializer()
    meaning = serializers.SerializerMethodField()
    read = serializers.SerializerMethodField()
    addendum = serializers.SerializerMethodField()
    change = serializers.SerializerMethodField()
    matches = serializers.SerializerMethodField()

    class Meta:
        model = Report
        fields = (
            "version",
            "kind",
            "digest",
            "matches",
            "signed_by",
            "signed_at",
            "meaning",
            "read",
            "addendum",
            "change",
        )

    def get_meaning(self, report: Report) -> str:
        signed = _said(report).get("signature")
        return str(signed.get("meaning", "")) if isinstance(signed, dict) else ""

    def get_addendum(self, report: Report) -> str:
        return str(_said(report).get("addendum", ""))

    @extend_schema_field(ReportChangeSerializer(allow_null=True))
    def get_change(self, report: Report) -> dict[str, Any] | None:
        return cast("dict[str, Any] | None", _said(report).get("change"))

    @extend_schema_field(serializers.DictField())
    def get_read(self, report: Report) -> dict[str, Any]:
        return report.read or {}

    def get_matches(self, report: Report) -> bool:
        return signature.matches(report)


class CommentSerializer(serializers.ModelSerializer[Comment]):
    """What a colleague was told when the case was passed on to them."""

    author = PersonSerializer()
    to = PersonSerializer()

    class Meta:
        model = Comment
        fields = ("reason", "author", "to", "text", "at")


class CaseSerializer(IdentitySerializer[Case]):
    """A case whole. The clinical note is left out together with the patient's identity."""

    identifying = ("clinical_note",)
    comments = serializers.SerializerMethodField()
    patient = PatientSerializer()
    clinical_note = serializers.CharField(required=False)
    accessioned_by = PersonSerializer()
    reviewer = PersonSerializer(allow_null=True)
    holder = PersonSerializer(allow_null=True)
    is_overdue = serializers.BooleanField()
    images = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField()
    runs = RunSerializer(many=True)
    predictions = serializers.SerializerMethodField()
    failures = serializers.SerializerMethodField()
    findings = serializers.SerializerMethodField()
    reads = serializers.SerializerMethodField()
    report = serializers.SerializerMethodField()
    superseded_reports = serializers.SerializerMethodField()
    disclaimer = DisclaimerField()

    class Meta:
        model = Case
        fields = (
            *_CASE,
            "clinical_note",
            "comments",
            "images",
            "progress",
            "runs",
            "predictions",
            "failures",
            "findings",
            "reads",
            "report",
            "superseded_reports",
            "disclaimer",
        )

    @cached_property
    def _sight(self) -> sight.Sight:
        """What the person who asks may see of the one case that is told."""
        return sight.of(self.context["request"].user, cast("Case", self.instance))

    @extend_schema_field(CommentSerializer(many=True))
    def get_comments(self, case: Case) -> Any:  # noqa: ANN401 -- a list of the framework's
        return CommentSerializer(
            queries.comments(case, self.context["request"].user), many=True
        ).data

    @extend_schema_field(ImageSerializer(many=True))
    def get_images(self, case: Case) -> Any:  # noqa: ANN401 -- likewise
        user = self.context["request"].user
        named = permissions.can_see_file_names(user, case, self._sight)
        context = {**self.context, "with_names": named}
        return ImageSerializer(case.images.all(), many=True, context=context).data

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, case: Case) -> Mapping[str, Any]:
        progress = queries.progress(case)
        if not self._sight.model:  # which images it could not read is the model's output too
            settled = progress.answered + progress.failed
            progress = queries.Progress(progress.images, min(settled, progress.images), 0)
        return ProgressSerializer(progress).data

    @extend_schema_field(PredictionSerializer(many=True))
    def get_predictions(self, case: Case) -> Any:  # noqa: ANN401 -- a list of the framework's
        return PredictionSerializer(queries.shown_predictions(case, self._sight), many=True).data

    @extend_schema_field(FailureSerializer(many=True))
    def get_failures(self, case: Case) -> Any:  # noqa: ANN401 -- likewise
        return FailureSerializer(queries.shown_failures(case, self._sight), many=True).data

    @extend_schema_field(FindingSerializer(many=True))
    def get_findings(self, case: Case) -> Any:  # noqa: ANN401 -- likewise
        findings = queries.shown_findings(case, self._sight)
        context = {"sight": self._sight}
        return FindingSerializer(findings, many=True, context=context).data

    @extend_schema_field(ReadSerializer(many=True))
    def get_reads(self, case: Case) -> Any:  # noqa: ANN401 -- likewise
        reads = queries.shown_reads(case, self._sight)
        return ReadSerializer(reads, many=True, context={"sight": self._sight}).data

    @extend_schema_field(ReportSerializer(allow_null=True))
    def get_report(self, case: Case) -> Mapping[str, Any] | None:
        report = case.reports.current().select_related("signed_by").first()
        return ReportSerializer(report).data if report else None

    @extend_schema_field(ReportSerializer(many=True))
    def get_superseded_reports(self, case: Case) -> Any:  # noqa: ANN401 -- likewise
        versions = case.reports.select_related("signed_by").order_by("-version")
        return ReportSerializer(versions[1:], many=True).data


class FateSerializer(serializers.Serializer[uploads.Fate]):
    """What became of one file; ``image`` is the one stored, or the one that was there already."""

    name = serializers.CharField()
    fate = serializers.ChoiceField(choices=(uploads.STORED, uploads.KNOWN, uploads.REFUSED))
    reason = serializers.CharField(allow_blank=True)
    image = ImageSerializer(allow_null=True)


class UploadedSerializer(serializers.Serializer[Any]):
    files = FateSerializer(many=True)
    images = serializers.IntegerField(help_text="How many the case holds now.")
    disclaimer = DisclaimerField()


class HoldSerializer(serializers.Serializer[Any]):
    """How long whoever asks has had the case, and when an idle holder loses it."""

    held_since = serializers.DateTimeField()
    held_until = serializers.DateTimeField()
    seconds_left = serializers.FloatField()
    disclaimer = DisclaimerField()


class DecidedSerializer(serializers.Serializer[Any]):
    """How far the review is: an image is decided, excluded or neither, and displayed or not."""

    images = serializers.IntegerField()
    displayed = serializers.IntegerField()
    decided = serializers.IntegerField()
    excluded = serializers.IntegerField()


class FindingsSerializer(serializers.Serializer[Any]):
    """The findings that were made, and how far the review is."""

    findings = FindingSerializer(many=True)
    progress = DecidedSerializer()
    disclaimer = DisclaimerField()


class DisplayedSerializer(serializers.Serializer[Any]):
    """How far the review is."""

    progress = DecidedSerializer()
    disclaimer = DisclaimerField()


class StaleSerializer(serializers.Serializer[Any]):
    """Why nothing was kept, and the findings that stand for the images in question."""

    detail = serializers.CharField()
    findings = FindingSerializer(many=True)
    disclaimer = DisclaimerField()


class EventSerializer(serializers.ModelSerializer[AuditEvent]):
    """Something that happened; nobody is the actor where a worker or the clock did it."""

    actor = PersonSerializer(allow_null=True)
    detail = serializers.DictField()

    class Meta:
        model = AuditEvent
        fields = ("at", "actor", "action", "from_status", "to_status", "detail")


class TrailSerializer(serializers.Serializer[Any]):
    events = EventSerializer(many=True)
    disclaimer = DisclaimerField()


class RefusalSerializer(serializers.Serializer[Any]):
    """A sentence for a person: the one that a page shows."""

    detail = serializers.CharField()
