"""Over the API: what the tissue showed, beside the cytology it is compared with (R8)."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from cases import audit, quality, wording, workflow
from cases.api import answers
from cases.api.lists import Pages
from cases.api.views import FIELDS_REFUSED, NOT_ALLOWED, OF_A_CASE, OF_A_VERB, PrivateView
from cases.correlation import Agreement, Cause, HistologyResult
from cases.models import Case, Histology
from cases.workflow.quality import LONGEST_NOTE


class HistologySerializer(serializers.ModelSerializer[Histology]):
    """What the tissue showed, and how it compares with the cytology it was recorded beside."""

    case = answers.CaseNameSerializer()
    cytology = serializers.SerializerMethodField()
    cause = serializers.ChoiceField(choices=Cause.choices, allow_blank=True)
    recorded_by = answers.PersonSerializer()
    disclaimer = answers.DisclaimerField()

    class Meta:
        model = Histology
        fields = (
            "id",
            "case",
            "source",
            "reported_on",
            "result",
            "cytology",
            "agreement",
            "steps",
            "cause",
            "note",
            "recorded_by",
            "recorded_at",
            "disclaimer",
        )

    def get_cytology(self, histology: Histology) -> str:
        return wording.result(histology.cytology)


class CaseHistologiesSerializer(serializers.Serializer[Any]):
    histologies = HistologySerializer(many=True)
    disclaimer = answers.DisclaimerField()


class TissueSerializer(serializers.Serializer[workflow.Tissue]):
    """What a report on tissue says; a difference from the cytology needs a cause."""

    source = serializers.ChoiceField(choices=Histology.Source.choices)  # type: ignore[assignment] # a field of the request, not of the framework
    reported_on = serializers.DateField()
    result = serializers.ChoiceField(choices=HistologyResult.choices)
    cause = serializers.ChoiceField(choices=Cause.choices, required=False, allow_blank=True)
    note = serializers.CharField(max_length=LONGEST_NOTE, required=False, allow_blank=True)


class HistologyFilter(filters.FilterSet):
    agreement = filters.ChoiceFilter(choices=Agreement.choices)

    class Meta:
        model = Histology
        fields: tuple[str, ...] = ()


class LastRecorded(Pages):
    ordering = ("-recorded_at", "-pk")


class HistologyViewSet(PrivateView, GenericViewSet[Histology]):
    """The histology of the laboratory of whoever asks."""

    queryset = Histology.objects.none()
    serializer_class = HistologySerializer
    filterset_class = HistologyFilter
    pagination_class = LastRecorded

    def get_queryset(self) -> QuerySet[Histology]:
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset()
        return quality.histologies(self.reader)

    @extend_schema(
        responses={200: HistologySerializer(many=True), 400: FIELDS_REFUSED} | NOT_ALLOWED
    )
    def list(self, request: Request) -> Response:
        """Every result of histology beside the cytology it belongs to, the newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(HistologySerializer(page or [], many=True).data)


class CaseHistologyView(PrivateView):
    """What the tissue showed, beside one case."""

    @extend_schema(responses={200: CaseHistologiesSerializer} | OF_A_CASE)
    def get(self, request: Request, case_id: UUID) -> Response:
        """What was recorded beside this case, the newest first."""
        case = self._case(case_id)
        audit.viewed(case, self.reader)
        found = quality.histologies(self.reader).filter(case=case)
        return Response(CaseHistologiesSerializer({"histologies": found}).data)

    @extend_schema(
        request=TissueSerializer,
        responses={200: HistologySerializer, 400: FIELDS_REFUSED} | OF_A_VERB,
    )
    def post(self, request: Request, case_id: UUID) -> Response:
        """Record a result of histology and correlate it; the same said again is kept once."""
        case = self._case(case_id)
        sent = self.sent(TissueSerializer)
        made = workflow.record_histology(case, self.reader, workflow.Tissue(**sent.validated_data))
        return Response(HistologySerializer(made).data)

    def _case(self, case_id: UUID) -> Case:
        cases = Case.objects.visible_to(self.reader).select_related("laboratory")
        return get_object_or_404(cases, pk=case_id)
