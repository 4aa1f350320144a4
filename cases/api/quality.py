"""Over the API: look-backs, histology (R7, R8), who read what, how much they may (R9, R11)."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django_filters import rest_framework as filters
from drf_spectacular.utils import (
    OpenApiResponse,
    extend_schema,
    extend_schema_serializer,
)
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.models import User
from cases import audit, permissions, queries, wording, workflow, workload
from cases.api import answers
from cases.api.lists import Pages
from cases.api.views import FIELDS_REFUSED, NOT_ALLOWED, OF_A_CASE, OF_A_VERB, PrivateView
from cases.correlation import Agreement, Cause, HistologyResult
from cases.models import Case, Histology, Review, Task, WorkloadLimit
from cases.workflow.quality import LONGEST_NOTE
from cases.workflow.words import LONGEST_NOTIFIED

NOT_THERE = NOT_ALLOWED | {
    404: OpenApiResponse(answers.RefusalSerializer, "Nothing of this id in your laboratory."),
}


class CaseNameSerializer(serializers.ModelSerializer[Case]):
    """Which case is meant."""

    class Meta:
        model = Case
        fields = ("id", "accession_number", "signed_at")


# ── Look-backs ───────────────────────────────────────────────────────────────────────────────────


class LookBackSerializer(serializers.ModelSerializer[Task]):
    """An earlier case to be read again, what asks for it, and what came of it."""

    case = CaseNameSerializer()
    trigger = CaseNameSerializer()
    patient = answers.PseudonymSerializer(source="case.patient")
    result = serializers.ChoiceField(choices=Task.Result.choices, allow_blank=True)
    is_to_amend = serializers.BooleanField(help_text="The amendment is still to be issued.")
    done_by = answers.PersonSerializer(allow_null=True)
    disclaimer = answers.DisclaimerField()

    class Meta:
        model = Task
        fields = (
            "id",
            "case",
            "trigger",
            "patient",
            "opened_at",
            "done_by",
            "done_at",
            "result",
            "note",
            "notified",
            "notified_at",
            "is_to_amend",
            "disclaimer",
        )


class LookBackAnswerSerializer(serializers.Serializer[Any]):
    """What the second look found, and who was told where care is affected."""

    result = serializers.ChoiceField(choices=Task.Result.choices)
    note = serializers.CharField(max_length=LONGEST_NOTE, required=False, allow_blank=True)
    notified = serializers.CharField(max_length=LONGEST_NOTIFIED, required=False, allow_blank=True)
    notified_at = serializers.DateTimeField(required=False, allow_null=True)


class LookBackFilter(filters.FilterSet):
    state = filters.ChoiceFilter(
        choices=[(state, label) for state, (label, _) in queries.LOOK_BACKS.items()],
        method="in_state",
        help_text="As on the page; left out, all of them.",
    )

    class Meta:
        model = Task
        fields: tuple[str, ...] = ()

    def in_state(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        _, which = queries.LOOK_BACKS[value]
        return tasks.filter(which)


class OldestFirst(Pages):
    ordering = ("opened_at", "pk")


class LookBackViewSet(PrivateView, GenericViewSet[Task]):
    """The look-backs of the laboratory of whoever asks."""

    queryset = Task.objects.none()
    serializer_class = LookBackSerializer
    filterset_class = LookBackFilter
    pagination_class = OldestFirst
    lookup_url_kwarg = "task_id"
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[Task]:
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset()
        return queries.look_backs(self.reader)

    @extend_schema(
        responses={200: LookBackSerializer(many=True), 400: FIELDS_REFUSED} | NOT_ALLOWED
    )
    def list(self, request: Request) -> Response:
        """The look-backs, the one that was asked for first on top."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(LookBackSerializer(page or [], many=True).data)

    @extend_schema(responses={200: LookBackSerializer} | NOT_THERE)
    def retrieve(self, request: Request, task_id: int) -> Response:
        """One look-back."""
        return Response(LookBackSerializer(self._task(task_id)).data)

    @extend_schema(
        request=LookBackAnswerSerializer,
        responses={
            200: LookBackSerializer,
            400: FIELDS_REFUSED,
            409: OpenApiResponse(answers.RefusalSerializer, "It was answered, or is incomplete."),
        }
        | NOT_THERE,
    )
    @action(detail=True, methods=["post"])
    def answer(self, request: Request, task_id: int) -> Response:
        """Say what the second look found, once; a discrepancy that affects care asks for more."""
        task = self._task(task_id)
        sent = self.sent(LookBackAnswerSerializer)
        workflow.look_back(task, self.reader, workflow.LookBack(**sent.validated_data))
        return Response(LookBackSerializer(self._task(task_id)).data)

    def _task(self, task_id: int) -> Task:
        return get_object_or_404(self.get_queryset(), pk=task_id)


# ── Histology ────────────────────────────────────────────────────────────────────────────────────


class HistologySerializer(serializers.ModelSerializer[Histology]):
    """What the tissue showed, and how it compares with the cytology it was recorded beside."""

    case = CaseNameSerializer()
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
        return queries.histologies(self.reader)

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
        found = queries.histologies(self.reader).filter(case=case)
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


# ── Reads and workload ───────────────────────────────────────────────────────────────────────────


class LimitSerializer(serializers.ModelSerializer[WorkloadLimit]):
    """What a pathologist judged that a person can read in a day."""

    hours = serializers.FloatField()
    set_by = answers.PersonSerializer()

    class Meta:
        model = WorkloadLimit
        fields = ("hours", "slides", "set_by", "set_at")


class ReaderSerializer(serializers.Serializer[workload.Workload]):
    """A person who reads, and the most that they may: a ceiling, never a target."""

    id = serializers.IntegerField(source="person.pk")
    name = serializers.CharField(source="person.name")
    role = serializers.CharField(source="person.role")
    slides = serializers.IntegerField(help_text="The most in 24 hours.")
    limit = LimitSerializer(allow_null=True, help_text="Their own; null where the ceiling holds.")
    reassess_by = serializers.DateTimeField(allow_null=True)
    is_to_be_reassessed = serializers.BooleanField()
    disclaimer = answers.DisclaimerField()


@extend_schema_serializer(many=False)
class ReadersSerializer(serializers.Serializer[Any]):
    readers = ReaderSerializer(many=True)
    disclaimer = answers.DisclaimerField()


class PersonsReadSerializer(serializers.ModelSerializer[Review]):
    """A read of a person; ``result`` is null until there is one that you may know (R6)."""

    case = CaseNameSerializer()
    result = serializers.SerializerMethodField()

    class Meta:
        model = Review
        fields = (
            "case",
            "kind",
            "is_blind",
            "started_at",
            "ended_at",
            "committed_at",
            "superseded_at",
            "result",
        )

    def get_result(self, read: Review) -> str | None:
        said = queries.told_result(read, self.context["request"].user)
        return wording.result(said) if said else None


class WorkloadSerializer(serializers.Serializer[Any]):
    """How many hours a person reads in a day, and the most slides in 24 hours."""

    hours = serializers.DecimalField(
        max_digits=3, decimal_places=1, min_value=Decimal("0.5"), max_value=Decimal(24)
    )
    slides = serializers.IntegerField(min_value=0, max_value=workload.CEILING)


class LastBegun(Pages):
    ordering = ("-started_at", "-pk")


class ReaderViewSet(PrivateView, GenericViewSet[Any]):
    """The people who read in the laboratory of whoever asks."""

    queryset = User.objects.none()
    serializer_class = ReaderSerializer
    pagination_class = None
    filterset_class = None
    lookup_url_kwarg = "person_id"
    lookup_value_converter = "int"

    @extend_schema(responses={200: ReadersSerializer} | NOT_ALLOWED)
    def list(self, request: Request) -> Response:
        """The people who read, each with the most that they may."""
        if not permissions.can_see_everybodys_reads(self.reader):
            raise PermissionDenied("Pathologists and administrators see everybody's reads.")
        told = {"readers": workload.of_each(queries.readers(self.reader))}
        return Response(ReadersSerializer(told).data)

    @extend_schema(responses={200: ReaderSerializer} | NOT_THERE)
    def retrieve(self, request: Request, person_id: int) -> Response:
        """One person and the most that they may read."""
        return Response(ReaderSerializer(workload.of(self._person(person_id))).data)

    @extend_schema(responses={200: PersonsReadSerializer(many=True)} | NOT_THERE)
    @action(detail=True, pagination_class=LastBegun)
    def reads(self, request: Request, person_id: int) -> Response:
        """What a person read, when and with which result, the newest first (R11)."""
        page = self.paginate_queryset(queries.reads_of(self._person(person_id), self.reader))
        told = PersonsReadSerializer(page or [], many=True, context={"request": request})
        return self.get_paginated_response(told.data)

    @extend_schema(
        request=WorkloadSerializer,
        responses={
            200: ReaderSerializer,
            400: FIELDS_REFUSED,
            409: OpenApiResponse(answers.RefusalSerializer, "It is above the ceiling."),
        }
        | NOT_THERE,
    )
    @action(detail=True, methods=["post"])
    def workload(self, request: Request, person_id: int) -> Response:
        """Set how much a person may read, or confirm it after six months (R9)."""
        person = self._person(person_id)
        sent = self.sent(WorkloadSerializer)
        workload.set_limit(person, self.reader, **sent.validated_data)
        return Response(ReaderSerializer(workload.of(person)).data)

    def _person(self, person_id: int) -> User:
        person = get_object_or_404(User, laboratory=self.reader.laboratory_id, pk=person_id)
        if not permissions.can_see_reads(self.reader, person):
            raise PermissionDenied("You see what you read yourself.")
        return person
