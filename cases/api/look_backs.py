"""Over the API: which earlier cases are to be read again, and what that found (R7)."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from cases import quality, workflow
from cases.api import answers
from cases.api.lists import Pages
from cases.api.views import FIELDS_REFUSED, NOT_ALLOWED, NOT_THERE, PrivateView
from cases.models import Task
from cases.workflow.quality import LONGEST_NOTE
from cases.workflow.words import LONGEST_NOTIFIED


class LookBackSerializer(serializers.ModelSerializer[Task]):
    """An earlier case to be read again, what asks for it, and what came of it."""

    case = answers.CaseNameSerializer()
    trigger = answers.CaseNameSerializer()
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
        choices=[(state, label) for state, (label, _) in quality.LOOK_BACKS.items()],
        method="in_state",
        help_text="As on the page; left out, all of them.",
    )

    class Meta:
        model = Task
        fields: tuple[str, ...] = ()

    def in_state(self, tasks: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        _, which = quality.LOOK_BACKS[value]
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
        return quality.look_backs(self.reader)

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
