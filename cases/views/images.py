"""Pictures of cells, served only to the case's laboratory."""

from collections.abc import Callable
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from accounts.tokens import token_or_login_required
from cases import audit, storage
from cases.models import CellImage
from cases.views.found import find_case, reader

# The content under an address never changes, yet only this browser may keep it, and the server is
# asked again after an hour, so that a person who logged off leaves little behind.
CACHE = "private, max-age=3600, immutable"


@require_safe
@token_or_login_required
def image(request: HttpRequest, case_id: UUID, image_id: UUID) -> HttpResponse:
    found = _find(request, case_id, image_id)
    audit.viewed(found.case, reader(request))
    return _answer(request, found, "image/png", storage.open_image)


@require_safe
@token_or_login_required
def thumbnail(request: HttpRequest, case_id: UUID, image_id: UUID) -> HttpResponse:
    # Its address comes from what was noted as a view, or from `case_ahead`, for a browser to fetch
    # what nobody sees before they open the case.
    found = _find(request, case_id, image_id)
    return _answer(request, found, "image/webp", storage.open_thumbnail)


def _find(request: HttpRequest, case_id: UUID, image_id: UUID) -> CellImage:
    case = find_case(request, case_id)
    return get_object_or_404(CellImage.objects.select_related("case"), case=case, pk=image_id)


def _answer(
    request: HttpRequest, found: CellImage, kind: str, opened: Callable[[int, str], bytes]
) -> HttpResponse:
    etag = f'"{found.digest}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponseNotModified(headers={"ETag": etag, "Cache-Control": CACHE})
    try:
        content = opened(found.case.laboratory_id, found.digest)
    except (storage.MissingImage, storage.DamagedImage) as error:
        raise Http404(str(error)) from error
    return HttpResponse(
        content,
        content_type=kind,
        headers={"ETag": etag, "Cache-Control": CACHE, "X-Content-Type-Options": "nosniff"},
    )
