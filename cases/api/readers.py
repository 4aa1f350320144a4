"""Over the API: who reads, what they read (R11), and how much they may (R9)."""

from decimal import Decimal
from typing import Any

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.models import User
from cases import permissions, who_reads, wording, workload
from cases.api import answers
from cases.api.lists import Pages
from cases.api.views import FIELDS_REFUSED, NOT_ALLOWED, NOT_THERE, PrivateView
from cases.models import Review, WorkloadLimit


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

    case = answers.CaseNameSerializer()
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
        said = who_reads.told_result(read, self.context["request"].user)
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
        told = {"readers": workload.of_each(who_reads.readers(self.reader))}
        return Response(ReadersSerializer(told).data)

    @extend_schema(responses={200: ReaderSerializer} | NOT_THERE)
    def retrieve(self, request: Request, person_id: int) -> Response:
        """One person and the most that they may read."""
        return Response(ReaderSerializer(workload.of(self._person(person_id))).data)

    @extend_schema(responses={200: PersonsReadSerializer(many=True)} | NOT_THERE)
    @action(detail=True, pagination_class=LastBegun)
    def reads(self, request: Request, person_id: int) -> Response:
        """What a person read, when and with which result, the newest first (R11)."""
        page = self.paginate_queryset(who_reads.reads_of(self._person(person_id), self.reader))
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
