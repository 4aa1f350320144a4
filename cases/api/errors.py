"""Refusals as answers: the sentence is the one that a page shows, the status says its kind."""

from typing import Any

from django.core.exceptions import (
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
    ValidationError,
)
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from accounts.authentication import WrongPassword
from cases import workflow, workload
from cases.bethesda import InvalidRead
from inference.registry import NoCurrentModel


class Conflict(exceptions.APIException):
    """What was asked for does not fit the case as it is now."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "This does not fit the case as it is now."
    default_code = "conflict"


class TooLarge(exceptions.APIException):
    """More was sent than one request may carry."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request carries more than is allowed: send it in parts."
    default_code = "too_large"


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an exception of a view; None where it is a bug and nobody's refusal."""
    return exception_handler(_translated(error), context)


def _translated(error: Exception) -> Exception:
    match error:
        case (
            workflow.InvalidTransition()
            | workflow.Refused()
            | workload.InvalidLimit()
            | NoCurrentModel()
        ):
            return Conflict(str(error))
        case WrongPassword():
            return exceptions.PermissionDenied(str(error))
        case InvalidRead():
            return exceptions.ParseError(str(error))
        case ValidationError():
            return exceptions.ValidationError(_by_field(error))
        case RequestDataTooBig() | TooManyFilesSent() | TooManyFieldsSent():
            return TooLarge()
    return error


def _by_field(error: ValidationError) -> dict[str, list[str]]:
    """The sentences by field; those of no field stand where serializers put theirs."""
    everywhere = api_settings.NON_FIELD_ERRORS_KEY
    if not hasattr(error, "error_dict"):
        return {everywhere: error.messages}
    return {
        everywhere if field == "__all__" else field: sentences
        for field, sentences in error.message_dict.items()
    }
