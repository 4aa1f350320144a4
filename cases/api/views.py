"""The addresses of the API: find a case, call a verb, tell what is there now."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar, cast
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from django.utils.cache import patch_cache_control
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts.authentication import reauthenticate
from accounts.models import User
from cases import audit, clock, permissions, queries, sight, uploads, workflow
from cases.api import answers, lists, requests
from cases.api.errors import Conflict
from cases.models import Case, CellImage, Finding, Run
from cases.signed import signed_content

FIELDS_REFUSED = OpenApiResponse(
    {"type": "object", "additionalProperties": {}}, "Sentences by field, or one as `detail`."
)
NOT_ALLOWED = {
    401: OpenApiResponse(answers.RefusalSerializer, "Who asks is not known."),
    403: OpenApiResponse(answers.RefusalSerializer, "Not for this role, or not for this person."),
}
OF_A_CASE = NOT_ALLOWED | {
    404: OpenApiResponse(answers.RefusalSerializer, "No such case in your laboratory."),
}
NOT_THERE = NOT_ALLOWED | {
    404: OpenApiResponse(answers.RefusalSerializer, "Nothing of this id in your laboratory."),
}
OF_A_VERB = OF_A_CASE | {
    409: OpenApiResponse(answers.RefusalSerializer, "It does not fit the case as it is now."),
}
TOLD = {200: answers.CaseSerializer} | OF_A_VERB  # a verb answers with the case as it is then
TOLD_OR_REFUSED = TOLD | {400: FIELDS_REFUSED}
S = TypeVar("S", bound="BaseSerializer[Any]")


class PrivateView(APIView):
    """Answers about a laboratory's cases, which nobody on the way may keep."""

    def finalize_response(
        self,
        request: Request,
        response: Any,  # noqa: ANN401 -- as in the base class
        *args: Any,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        answer = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(answer, private=True, no_store=True)
        return answer

    @property
    def reader(self) -> User:
        """The person who asks; every view here requires one."""
        return cast("User", self.request.user)

    def sent(self, kind: type[S], *, partial: bool = False) -> S:
        """What was sent, checked; what is wrong with it is a 400 that names the fields."""
        sent = kind(data=self.request.data, partial=partial)
        sent.is_valid(raise_exception=True)
        return sent


class CaseViewSet(PrivateView, GenericViewSet[Case]):
    """The cases of the laboratory of whoever asks."""

    queryset = Case.objects.none()
    serializer_class = answers.CaseSerializer
    filterset_class = lists.CaseFilter
    pagination_class = lists.CasePages
    lookup_url_kwarg = "case_id"
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Case]:
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset()
        return Case.objects.visible_to(self.reader).with_people()

    def get_object(self) -> Case:
        """The case asked for; one whose holder was idle too long is taken back by the look."""
        case = super().get_object()
        if case.is_hold_expired:
            workflow.expire_idle(self.get_queryset().filter(pk=case.pk))
            case = self.get_queryset().get(pk=case.pk)
        return case

    @extend_schema(
        responses={200: answers.CaseRowSerializer(many=True), 400: FIELDS_REFUSED} | NOT_ALLOWED
    )
    def list(self, request: Request) -> Response:
        """The cases that fit the filters: newest first, or by the time they are due."""
        workflow.expire_idle(Case.objects.visible_to(self.reader))
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        rows = answers.CaseRowSerializer(
            page or [], many=True, context=self.get_serializer_context()
        )
        return self.get_paginated_response(rows.data)

    @extend_schema(
        request=requests.AccessionSerializer,
        responses={201: answers.CaseSerializer, 400: FIELDS_REFUSED} | NOT_ALLOWED,
    )
    def create(self, request: Request) -> Response:
        """Register a specimen as a case; it takes images until it is submitted."""
        sent = self.sent(requests.AccessionSerializer)
        case = workflow.accession(self.reader, sent.accession())
        return self._told(case.pk, status.HTTP_201_CREATED)

    @extend_schema(responses={200: answers.CaseSerializer} | OF_A_CASE)
    def retrieve(self, request: Request, case_id: UUID) -> Response:
        """One case with its images, the model's answers, the findings and the report."""
        case = self.get_object()
        audit.viewed(case, self.reader)
        return self._told(case.pk)

    @extend_schema(request=requests.AccessionSerializer, responses=TOLD_OR_REFUSED)
    def partial_update(self, request: Request, case_id: UUID) -> Response:
        """Mend what was said at accession, while the case is a draft."""
        case = self.get_object()
        sent = self.sent(requests.AccessionSerializer, partial=True)
        workflow.revise(case, self.reader, sent.revision_of(case))
        return self._told(case_id)

    @extend_schema(
        request={"multipart/form-data": requests.UploadSerializer},
        responses={200: answers.UploadedSerializer, 400: FIELDS_REFUSED} | OF_A_VERB,
    )
    @action(detail=True, methods=["post"], parser_classes=[MultiPartParser])
    def images(self, request: Request, case_id: UUID) -> Response:
        """Add pictures, or zip archives of them, to a draft; each file has a fate of its own."""
        case = self.get_object()
        sent = requests.UploadSerializer(data={"file": request.FILES.getlist("file")})
        sent.is_valid(raise_exception=True)
        fates = list(uploads.take(case, self.reader, sent.validated_data["file"]))
        return self._answer(
            answers.UploadedSerializer, {"files": fates, "images": case.images.count()}
        )

    @extend_schema(responses={204: None} | OF_A_VERB)
    @action(detail=True, methods=["delete"], url_path="images/<uuid:image_id>")
    def image(self, request: Request, case_id: UUID, image_id: UUID) -> Response:
        """Take an image out of a draft again."""
        try:
            workflow.remove_image(self.get_object(), self.reader, image_id)
        except CellImage.DoesNotExist as error:
            raise NotFound("This image is not in the case.") from error
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        responses={200: answers.ActivationSerializer}
        | NOT_ALLOWED
        | {404: OpenApiResponse(answers.RefusalSerializer, "No such image, or no map of it.")}
    )
    @action(detail=True, url_path="images/<uuid:image_id>/activation", pagination_class=None)
    def activation(self, request: Request, case_id: UUID, image_id: UUID) -> Response:
        """Where a picture spoke for each of the classes, in the answer that readers see."""
        case = self.get_object()
        audit.viewed(case, self.reader)
        image = get_object_or_404(case.images, pk=image_id)
        seen = sight.of(self.reader, case)
        if not seen.model:
            raise PermissionDenied(
                "What the model says is shown once you have read the case (R22)."
            )
        overlay = queries.activation_of(case, image, seen)
        if overlay is None:
            raise NotFound("No activation map was kept of this image.")
        told = overlay.to_json() | {"image": image.pk}
        return self._answer(answers.ActivationSerializer, told)

    @extend_schema(request=None, responses=TOLD)
    @action(detail=True, methods=["post"])
    def submit(self, request: Request, case_id: UUID) -> Response:
        """Hand a draft with its images to the workers."""
        workflow.submit(
            self.get_object(), self.reader, queries.answering_model(self.reader.laboratory)
        )
        return self._told(case_id)

    @extend_schema(request=None, responses=TOLD)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, case_id: UUID) -> Response:
        """Give a failed case a new run; what earlier runs answered is kept."""
        workflow.retry(
            self.get_object(), self.reader, queries.answering_model(self.reader.laboratory)
        )
        return self._told(case_id)

    @extend_schema(request=None, responses=TOLD)
    @action(detail=True, methods=["post"])
    def reclassify(self, request: Request, case_id: UUID) -> Response:
        """Ask the current model version where an older one answered; older answers are kept."""
        workflow.reclassify(
            self.get_object(), self.reader, queries.answering_model(self.reader.laboratory)
        )
        return self._told(case_id)

    @extend_schema(request=None, responses=TOLD)
    @action(detail=True, methods=["post"])
    def claim(self, request: Request, case_id: UUID) -> Response:
        """Take a case that waits for a read of one's role; only one person can."""
        workflow.claim(self.get_object(), self.reader)
        return self._told(case_id)

    @extend_schema(request=None, responses=TOLD)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, case_id: UUID) -> Response:
        """Give a claimed case back; the findings stay for when its reader claims it again."""
        workflow.release(self.get_object(), self.reader)
        return self._told(case_id)

    @extend_schema(request=requests.HandOverSerializer, responses=TOLD_OR_REFUSED)
    @action(detail=True, methods=["post"], url_path="hand-over")
    def hand_over(self, request: Request, case_id: UUID) -> Response:
        """Give a case that one holds to a colleague, who holds it from now on."""
        case = self.get_object()
        sent = self.sent(requests.HandOverSerializer)
        to = self._colleague(case, sent.validated_data["to"])
        workflow.hand_over(case, self.reader, to, sent.validated_data["comment"])
        return self._told(case_id)

    @extend_schema(request=requests.SendBackSerializer, responses=TOLD_OR_REFUSED)
    @action(detail=True, methods=["post"], url_path="send-back")
    def send_back(self, request: Request, case_id: UUID) -> Response:
        """Give a case that one holds back for rework, or for another screening, and say why."""
        case = self.get_object()
        sent = self.sent(requests.SendBackSerializer)
        asked = sent.validated_data.get("screener")
        screener = None if asked is None else self._colleague(case, asked)
        workflow.send_back(case, self.reader, sent.validated_data["comment"], screener)
        return self._told(case_id)

    @extend_schema(
        request=None,
        responses={200: answers.HoldSerializer} | OF_A_VERB,
    )
    @action(detail=True, methods=["post"])
    def heartbeat(self, request: Request, case_id: UUID) -> Response:
        """Keep a case that one holds: sent while a person is active on one of its pages."""
        case = workflow.heartbeat(self.get_object(), self.reader)
        left = case.held_until - clock.now() if case.held_until else timedelta()
        told = {
            "held_since": case.held_since,
            "held_until": case.held_until,
            "seconds_left": left.total_seconds(),
        }
        return self._answer(answers.HoldSerializer, told)

    @extend_schema(
        request=requests.DecisionsSerializer,
        responses={
            200: answers.FindingsSerializer,
            400: FIELDS_REFUSED,
            409: OpenApiResponse(answers.StaleSerializer, "A newer finding stands, or no review."),
        }
        | OF_A_CASE,
    )
    @action(detail=True, methods=["post"])
    def findings(self, request: Request, case_id: UUID) -> Response:
        """Keep the reviewer's findings, all of them or none; the model never makes one."""
        case = self.get_object()
        sent = self.sent(requests.DecisionsSerializer)
        decisions = sent.list_decisions()
        standing = queries.compared_findings(case)
        try:
            made = workflow.decide(case, self.reader, decisions)
        except workflow.Refused as error:
            raise ParseError(str(error)) from error
        except workflow.StaleFinding as error:
            return self._stale(case, error, standing, decisions)
        told = {"findings": made, "progress": queries.read_progress(case)}
        return self._answer(answers.FindingsSerializer, told, sight=sight.of(self.reader, case))

    @extend_schema(
        request=requests.DisplaysSerializer,
        responses={200: answers.DisplayedSerializer, 400: FIELDS_REFUSED} | OF_A_VERB,
    )
    @action(detail=True, methods=["post"])
    def displays(self, request: Request, case_id: UUID) -> Response:
        """Keep that cells were in sight of the reviewer; a case is signed once all of them were."""
        case = self.get_object()
        sent = self.sent(requests.DisplaysSerializer)
        try:
            workflow.display(case, self.reader, sent.validated_data["images"])
        except workflow.Refused as error:
            raise ParseError(str(error)) from error
        told = {"progress": queries.read_progress(case)}
        return self._answer(answers.DisplayedSerializer, told)

    def _stale(
        self,
        case: Case,
        error: workflow.StaleFinding,
        standing: QuerySet[Finding],
        decisions: Sequence[workflow.Decision],
    ) -> Response:
        findings = standing.filter(image_id__in=[decision.image_id for decision in decisions])
        told = {"detail": str(error), "findings": findings}
        seen = sight.of(self.reader, case)
        return self._answer(answers.StaleSerializer, told, status.HTTP_409_CONFLICT, sight=seen)

    @extend_schema(request=requests.ReadSerializer, responses=TOLD_OR_REFUSED)
    @action(detail=True, methods=["post"])
    def commit(self, request: Request, case_id: UUID) -> Response:
        """Lock one's own read; what comes next is said by the rules of the laboratory (R11)."""
        case = self.get_object()
        sent = self.sent(requests.ReadSerializer)
        workflow.commit(case, self.reader, sent.read())
        return self._told(case_id)

    @extend_schema(request=requests.ConcludeSerializer, responses=TOLD_OR_REFUSED)
    @action(detail=True, methods=["post"])
    def conclude(self, request: Request, case_id: UUID) -> Response:
        """Say what one stands by after a blind screening; a change asks for a reason (R22)."""
        case = self.get_object()
        sent = self.sent(requests.ConcludeSerializer)
        reason = sent.validated_data.get("change_reason", "")
        workflow.conclude(case, self.reader, sent.read(), reason)
        return self._told(case_id)

    @extend_schema(request=None, responses=TOLD)
    @action(detail=True, methods=["post"])
    def refer(self, request: Request, case_id: UUID) -> Response:
        """Hand a case to the pathologists that none of the rules sends there."""
        workflow.refer(self.get_object(), self.reader)
        return self._told(case_id)

    @extend_schema(request=requests.EraseSerializer, responses=TOLD_OR_REFUSED)
    @action(detail=True, methods=["post"], url_path="erase-identity")
    def erase_identity(self, request: Request, case_id: UUID) -> Response:
        """Destroy who the patient is, in all their cases; the pseudonymous record stays (R21)."""
        case = self.get_object()
        sent = self.sent(requests.EraseSerializer)
        workflow.erase_identity(case, self.reader, **sent.validated_data)
        return self._told(case_id)

    @extend_schema(request=requests.CredentialsSerializer, responses=TOLD_OR_REFUSED)
    @action(detail=True, methods=["post"], url_path="sign-out")
    def sign_out(self, request: Request, case_id: UUID) -> Response:
        """Release a plain negative case with the signature of who screened it (R2)."""
        case = self.get_object()
        sent = self.sent(requests.CredentialsSerializer)
        proof = reauthenticate(request, **sent.given())
        workflow.sign_out(case, self.reader, proof)
        return self._told(case_id)

    @extend_schema(request=requests.SignSerializer, responses=TOLD_OR_REFUSED)
    @action(detail=True, methods=["post"])
    def sign(self, request: Request, case_id: UUID) -> Response:
        """Sign a case out with adequacy, interpretation and one's password, token or not (R15)."""
        case = self.get_object()
        sent = self.sent(requests.SignSerializer)
        proof = reauthenticate(request, **sent.given())
        pictures = sent.validated_data.get("pictures")
        reason = sent.validated_data.get("change_reason", "")
        workflow.sign(case, self.reader, sent.read(), proof, pictures, reason=reason)
        return self._told(case_id)

    @extend_schema(request=requests.AddendSerializer, responses=TOLD_OR_REFUSED)
    @action(detail=True, methods=["post"])
    def addend(self, request: Request, case_id: UUID) -> Response:
        """Add information to a released report: a new version with the same result (R12)."""
        case = self.get_object()
        sent = self.sent(requests.AddendSerializer)
        proof = reauthenticate(request, **sent.given())
        workflow.addend(case, self.reader, sent.change(), sent.validated_data["text"], proof)
        return self._told(case_id)

    @extend_schema(request=requests.AmendSerializer, responses=TOLD_OR_REFUSED)
    @action(detail=True, methods=["post"])
    def amend(self, request: Request, case_id: UUID) -> Response:
        """Change result or findings of a released report, in a version that names the earlier."""
        case = self.get_object()
        sent = self.sent(requests.AmendSerializer)
        proof = reauthenticate(request, **sent.given())
        workflow.amend(case, self.reader, sent.change(), sent.read(), proof, cells=sent.decisions())
        return self._told(case_id)

    @extend_schema(request=requests.CorrectSerializer, responses=TOLD_OR_REFUSED)
    @action(detail=True, methods=["post"])
    def correct(self, request: Request, case_id: UUID) -> Response:
        """Mend a clerical error in a released report, and in its case."""
        case = self.get_object()
        sent = self.sent(requests.CorrectSerializer)
        seen = get_object_or_404(case.reports, version=sent.validated_data["supersedes"])
        said = signed_content(seen, case)
        if said is None:
            raise Conflict("The report can no longer be read: no version is made from it.")
        proof = reauthenticate(request, **sent.given())
        workflow.correct(case, self.reader, sent.change(), sent.correction(said), proof)
        return self._told(case_id)

    @extend_schema(responses={200: answers.TrailSerializer} | OF_A_CASE)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def trail(self, request: Request, case_id: UUID) -> Response:
        """Everything that happened to the case, oldest first; to administrators also who saw it."""
        case = self.get_object()
        audit.viewed(case, self.reader)
        sees_views = permissions.can_see_views(self.reader, case)
        events = queries.as_shown(
            audit.trail(case, with_views=sees_views), sight.of(self.reader, case)
        )
        return self._answer(answers.TrailSerializer, {"events": events})

    def _colleague(self, case: Case, person_id: int) -> User:
        found = case.laboratory.users.filter(pk=person_id).first()
        if found is None:
            raise ParseError("This is nobody of your laboratory.")
        return found

    def _told(self, case_id: UUID, code: int = status.HTTP_200_OK) -> Response:
        """The case as it is now, whole."""
        runs = Prefetch("runs", Run.objects.select_related("model_version"))
        cases = self.get_queryset().prefetch_related("images", runs)
        case = get_object_or_404(cases, pk=case_id)
        return self._answer(answers.CaseSerializer, case, code)

    def _answer(
        self,
        serializer: type[Any],
        told: object,
        code: int = status.HTTP_200_OK,
        **context: object,
    ) -> Response:
        context |= self.get_serializer_context()
        return Response(serializer(told, context=context).data, code)


class ModelView(PrivateView):
    """The model that answers new runs of the laboratory."""

    @extend_schema(
        responses={
            200: answers.ModelVersionSerializer,
            409: OpenApiResponse(answers.RefusalSerializer, "No model is registered."),
        }
        | {401: NOT_ALLOWED[401]}
    )
    def get(self, request: Request) -> Response:
        """The current model version: labels, preprocessing and measured figures."""
        version = queries.answering_model(self.reader.laboratory)
        return Response(answers.ModelVersionSerializer(version).data)
