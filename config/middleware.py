"""What every answer of the site carries."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from cases.signature import DISCLAIMER


def disclaimer(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Say in a header of every answer, images and exports included, what this is for (R28)."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers["Disclaimer"] = DISCLAIMER
        return response

    return middleware
