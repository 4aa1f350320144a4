"""Cursor pagination for pages and API alike: a list that grows while it is read repeats no row."""

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from cases.models import Case

DUE = ("due_at", "pk")  # what is overdue longest comes first
NEWEST = ("-accessioned_at", "pk")
LAST_SIGNED = ("-signed_at", "pk")


class CaseCursor(CursorPagination):
    """Fifty cases a page in the order that the tile or the search asks for."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Where the page begins: at a moment, by which every order here sorts first."""
        cursor: Cursor | None = super().decode_cursor(request)
        if cursor and cursor.position is not None and not _is_moment(str(cursor.position)):
            raise NotFound(self.invalid_cursor_message)
        return cursor

    def get_ordering(
        self,
        request: Request,
        queryset: QuerySet[Case],  # noqa: ARG002 -- the base class passes it
        view: APIView,  # noqa: ARG002 -- likewise
    ) -> tuple[str, ...]:
        state = request.query_params.get("state") or request.query_params.get("status", "")
        if state == Case.Status.SIGNED:
            return LAST_SIGNED
        if request.query_params.get("search", "").strip() and not state:
            return NEWEST
        return DUE


def _is_moment(text: str) -> bool:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return False
    return moment is not None and moment.tzinfo is not None
