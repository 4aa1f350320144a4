"""Which cases a list holds, and in which order it turns its pages."""

from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, cast

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from cases import worklist
from cases.models import Case
from cases.paging import DUE, LAST_SIGNED, NEWEST, CaseCursor
from cases.signature import DISCLAIMER

Cases = QuerySet[Case]

# beyond these a day has no beginning in every time zone that the calendar can tell
_day = partial(
    filters.DateFilter,
    validators=[MinValueValidator(date(1900, 1, 1)), MaxValueValidator(date(2199, 12, 31))],
)


class _YesOrNo(forms.NullBooleanField):
    """True or false as an address says it; what is neither is refused, not passed over."""

    def to_python(self, value: Any) -> bool | None:  # type: ignore[override] # noqa: ANN401 -- Django's
        if value in self.empty_values:
            return None
        said = {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
        if said is None:
            raise forms.ValidationError("Say true or false.")
        return said


class YesOrNoFilter(filters.BooleanFilter):
    field_class = _YesOrNo


_yes_or_no = partial(YesOrNoFilter, widget=forms.TextInput)


class CaseFilter(filters.FilterSet):
    """The filters of the list. Days are days of the laboratory's time zone, the last one included.

    ``status`` and ``search`` mean what they mean on the worklist, so `worklist.listed` does them.
    """

    status = filters.ChoiceFilter(choices=Case.Status.choices, method="on_worklist")
    search = filters.CharFilter(
        method="on_worklist", help_text="Part of an accession number, or a whole patient id."
    )
    priority = filters.ChoiceFilter(choices=Case.Priority.choices)
    mine = _yes_or_no(
        method="in_hand", help_text="What you have in hand: yours to submit, to mend or to sign."
    )
    queue = filters.ChoiceFilter(
        choices=[(state, queue.label) for state, queue in worklist.QUEUES.items()],
        method="in_queue",
        help_text="The person's queue of this name on the worklist.",
    )
    overdue = _yes_or_no(method="past_due", help_text="Unsigned, and past its time.")
    accessioned_from = _day(method="since", help_text="This day or later.")
    accessioned_to = _day(method="until", help_text="This day or earlier.")
    signed_from = _day(method="since", help_text="This day or later.")
    signed_to = _day(method="until", help_text="This day or earlier.")

    class Meta:
        model = Case
        fields: tuple[str, ...] = ()

    def filter_queryset(self, queryset: Cases) -> Cases:
        """Begin with the rows of the worklist, whatever the view began with."""
        chosen = self.form.cleaned_data
        return super().filter_queryset(
            worklist.listed(self._reader, chosen["status"], chosen["search"].strip())
        )

    @property
    def _reader(self) -> User:
        return cast("User", cast("Request", self.request).user)

    def on_worklist(self, cases: Cases, name: str, value: str) -> Cases:
        return cases

    def in_hand(self, cases: Cases, name: str, value: bool) -> Cases:
        return _only(cases, worklist.mine(self._reader), wanted=value)

    def in_queue(self, cases: Cases, name: str, value: str) -> Cases:
        return cases.filter(worklist.in_queue(self._reader, value))

    def past_due(self, cases: Cases, name: str, value: bool) -> Cases:
        return _only(cases, worklist.overdue(self._reader), wanted=value)

    def since(self, cases: Cases, name: str, value: date) -> Cases:
        moment = name.removesuffix("_from") + "_at"
        return cases.filter(**{f"{moment}__gte": self._midnight(value)})

    def until(self, cases: Cases, name: str, value: date) -> Cases:
        moment = name.removesuffix("_to") + "_at"
        return cases.filter(**{f"{moment}__lt": self._midnight(value + timedelta(days=1))})

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, tzinfo=self._reader.laboratory.zone)


def _only(cases: Cases, condition: Q, *, wanted: bool) -> Cases:
    return cases.filter(condition if wanted else ~condition)


class Pages(CaseCursor):
    """A page of a list with the disclaimer on it, in the one order that the list has."""

    def get_ordering(
        self,
        request: Request,
        queryset: QuerySet[Any],
        view: APIView,
    ) -> tuple[str, ...]:
        return tuple(self.ordering)

    def get_paginated_response(self, data: Any) -> Response:  # noqa: ANN401 -- serialized rows
        answer = super().get_paginated_response(data)
        answer.data["disclaimer"] = DISCLAIMER
        return answer

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        page = super().get_paginated_response_schema(schema)
        page["properties"]["disclaimer"] = {"type": "string", "enum": [DISCLAIMER]}
        page["required"] = ["results", "disclaimer"]
        return page


class CasePages(Pages):
    """Newest first, unless what is asked for has an order of its own."""

    def get_ordering(
        self,
        request: Request,
        queryset: Cases,
        view: APIView,
    ) -> tuple[str, ...]:
        asked = request.query_params
        if asked.get("status") == Case.Status.SIGNED:
            return LAST_SIGNED
        if any(asked.get(name) for name in ("status", "mine", "queue", "overdue")):
            return DUE
        return NEWEST
