"""What a laboratory can count: typed rows, each from one aggregating query.

Every count begins with the cases that the user may see, so no number crosses a laboratory's border.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import (
    Aggregate,
    CharField,
    Count,
    DateField,
    DurationField,
    Exists,
    Expression,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    Subquery,
    Value,
    When,
)
from django.db.models import Case as Choice
from django.db.models.fields.json import KT
from django.db.models.functions import TruncMonth, TruncWeek

from accounts.models import Laboratory, User
from cases import clock, queries, worklist
from cases.bethesda import INTERPRETATIONS, Adequacy
from cases.models import Case, CaseQuerySet, CellImage, Prediction, Report, Run
from cases.sight import model_shown_to, reads_shown_to
from dashboards.period import Period, beginning
from inference.labels import CellClass

Status = Case.Status
ONE_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose cases are counted and since when; None is all time."""

    user: User
    since: datetime | None

    @classmethod
    def of(cls, user: User, period: Period) -> "Scope":
        return cls(user, beginning(period, clock.now(), user.laboratory.zone))

    @property
    def cases(self) -> CaseQuerySet:
        return Case.objects.visible_to(self.user)

    @property
    def accessioned(self) -> CaseQuerySet:
        """The cases accessioned in the period."""
        return self.cases.filter(self.since_then("accessioned_at"))

    @property
    def signed(self) -> CaseQuerySet:
        """The cases signed in the period."""
        return self.cases.filter(self.is_signed)

    @property
    def is_signed(self) -> Q:
        return Q(status=Status.SIGNED) & self.since_then("signed_at")

    def since_then(self, moment: str) -> Q:
        """That a moment lies in the period."""
        return Q() if self.since is None else Q(**{f"{moment}__gte": self.since})


class Percentile(Aggregate):
    """PostgreSQL's PERCENTILE_CONT: where the share falls between two values, a point between."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"

    def __init__(self, expression: Expression, share: float, **extra: Any) -> None:  # noqa: ANN401 -- handed through
        super().__init__(expression, share=share, **extra)


def _turnaround() -> "ExpressionWrapper[Any]":
    return ExpressionWrapper(F("signed_at") - F("accessioned_at"), output_field=DurationField())


def _hours(duration: timedelta | None) -> float | None:
    return None if duration is None else duration / ONE_HOUR


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


# --- Cases


@dataclass(frozen=True, slots=True)
class StateCount:
    state: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The open cases as they are now, and the signed ones of the period."""

    any_case: bool
    open: int
    overdue: int
    signed: int
    on_time: int
    median: timedelta | None
    ninetieth: timedelta | None
    states: tuple[StateCount, ...]

    @property
    def median_hours(self) -> float | None:
        return _hours(self.median)

    @property
    def ninetieth_hours(self) -> float | None:
        return _hours(self.ninetieth)

    @property
    def on_time_percent(self) -> float | None:
        share = _share(self.on_time, self.signed)
        return None if share is None else 100 * share


def overview(scope: Scope) -> Overview:
    """Key figures; a signed case counts in the period of its signature, an open one always."""
    open_states = [state for state in Status if state != Status.SIGNED]
    counted = scope.cases.aggregate(
        all=Count("pk"),
        open=Count("pk", filter=worklist.IS_OPEN),
        overdue=Count("pk", filter=worklist.overdue(scope.user)),
        signed=Count("pk", filter=scope.is_signed),
        on_time=Count("pk", filter=scope.is_signed & Q(signed_at__lte=F("due_at"))),
        median=Percentile(_turnaround(), 0.5, filter=scope.is_signed),
        ninetieth=Percentile(_turnaround(), 0.9, filter=scope.is_signed),
        **{state.value: Count("pk", filter=Q(status=state)) for state in open_states},
    )
    return Overview(
        any_case=counted["all"] > 0,
        open=counted["open"],
        overdue=counted["overdue"],
        signed=counted["signed"],
        on_time=counted["on_time"],
        median=counted["median"],
        ninetieth=counted["ninetieth"],
        states=tuple(
            StateCount(state.value, str(state.label), counted[state.value])
            for state in Status
            if state not in Case.OF_SCREENING or counted[state.value]
        ),
    )


# --- Turnaround


@dataclass(frozen=True, slots=True)
class Target:
    """Within how many hours from accession a case of a priority is to be signed."""

    priority: Case.Priority
    hours: int


def targets(laboratory: Laboratory) -> list[Target]:
    return [
        Target(Case.Priority.ROUTINE, laboratory.routine_turnaround_hours),
        Target(Case.Priority.URGENT, laboratory.urgent_turnaround_hours),
    ]


@dataclass(frozen=True, slots=True)
class TurnaroundWeek:
    """The cases of one priority that were signed in one week, named by its Monday."""

    week: date
    priority: Case.Priority
    signed: int
    on_time: int
    median: timedelta
    ninetieth: timedelta

    @property
    def median_hours(self) -> float:
        return self.median / ONE_HOUR

    @property
    def ninetieth_hours(self) -> float:
        return self.ninetieth / ONE_HOUR


def turnaround(scope: Scope) -> list[TurnaroundWeek]:
    """Accession to signature, a row for each week (of the laboratory's zone) and priority."""
    zone = scope.user.laboratory.zone
    weeks = (
        scope.signed.annotate(week=TruncWeek("signed_at", tzinfo=zone, output_field=DateField()))
        .values("week", "priority")
        .annotate(
            signed=Count("pk"),
            on_time=Count("pk", filter=Q(signed_at__lte=F("due_at"))),
            median=Percentile(_turnaround(), 0.5),
            ninetieth=Percentile(_turnaround(), 0.9),
        )
        .order_by("week", "priority")
    )
    return [
        TurnaroundWeek(
            week=row["week"],
            priority=Case.Priority(row["priority"]),
            signed=row["signed"],
            on_time=row["on_time"],
            median=row["median"],
            ninetieth=row["ninetieth"],
        )
        for row in weeks
    ]


# --- Cells


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How often the model stood by a class, and how often a person said it."""

    cell_class: CellClass
    predicted: int
    found_signed: int
    found_open: int

    @property
    def found(self) -> int:
        return self.found_signed + self.found_open


@dataclass(frozen=True, slots=True)
class Cells:
    """The cell images of the cases accessioned in the period, and what was said of them."""

    images: int
    classes: tuple[ClassCount, ...]
    excluded: int
    abstained: int
    left_out: int = 0  # of cases that the person may yet have to read blind

    @property
    def predicted(self) -> int:
        return sum(row.predicted for row in self.classes)

    @property
    def found_signed(self) -> int:
        return sum(row.found_signed for row in self.classes)

    @property
    def found_open(self) -> int:
        return sum(row.found_open for row in self.classes)

    @property
    def found(self) -> int:
        return self.found_signed + self.found_open

    @property
    def answered(self) -> int:
        return self.predicted + self.abstained

    @property
    def unanswered(self) -> int:
        return self.images - self.answered

    @property
    def undecided(self) -> int:
        return self.images - self.found - self.excluded


def cells(scope: Scope) -> Cells:
    """Cells by the class that the model stood by and by the class that a person found.

    The model's answer is the one that readers see: that of the version of the case's latest
    finished run; where it abstained it counts apart, under no class. A person's is their standing
    finding in a signed or open review. Cases of which the person may see neither yet are left out.
    """
    cases = scope.accessioned.filter(model_shown_to(scope.user) & reads_shown_to(scope.user))
    images = CellImage.objects.filter(case__in=scope.accessioned).count()
    shown = CellImage.objects.filter(case__in=cases).count()
    predicted = _predicted(cases)
    findings = queries.findings_of(cases)
    by_class = {
        row["cell_class"]: row
        for row in findings.values("cell_class").annotate(
            signed=Count("pk", filter=Q(review__case__status=Status.SIGNED)),
            open=Count("pk", filter=~Q(review__case__status=Status.SIGNED)),
        )
    }
    none = {"signed": 0, "open": 0}
    excluded = by_class.get("", none)  # a finding without a class excludes its cell
    return Cells(
        images=shown,
        classes=tuple(
            ClassCount(
                cell_class,
                predicted.get(cell_class.value, 0),
                by_class.get(cell_class.value, none)["signed"],
                by_class.get(cell_class.value, none)["open"],
            )
            for cell_class in CellClass
        ),
        excluded=excluded["signed"] + excluded["open"],
        abstained=predicted.get(ABSTAINED, 0),
        left_out=images - shown,
    )


ABSTAINED = ""  # what the model stood by where it stood by no class
_STATED = Choice(When(reasons=[], then=F("cell_class")), default=Value(ABSTAINED))


def _predicted(cases: CaseQuerySet) -> dict[str, int]:
    """How many answers stand by each class, and under `ABSTAINED` by none."""
    # An answer may belong to an earlier run of the same version, so the latest run leads to its
    # version and the version to the answers.
    latest = (
        Run.objects.filter(case__in=cases, status=Run.Status.DONE)
        .order_by("case", "-finished_at")
        .distinct("case")
    )
    counts = (
        Prediction.objects.filter(
            image__case__runs__in=latest.values("pk"),
            image__case__runs__model_version=F("model_version"),
        )
        .annotate(stated=_STATED)
        .values("stated")
        .annotate(count=Count("pk"))
        .values_list("stated", "count")
    )
    return dict(counts)


# --- Agreement


@dataclass(frozen=True, slots=True)
class Agreement:
    """Reader and model on the same cells, and the cells that cannot be compared.

    Those on which the model abstained are among the latter: it said nothing to agree with.

    `counts` has a row for each class of the reader's and a column for each of the model's, in the
    order of `CellClass`.
    """

    counts: tuple[tuple[int, ...], ...]
    excluded: int
    unanswered: int
    abstained: int = 0

    @property
    def compared(self) -> int:
        return sum(map(sum, self.counts))

    @property
    def agreed(self) -> int:
        return sum(self.counts[n][n] for n in range(len(self.counts)))

    @property
    def percent(self) -> float | None:
        share = _share(self.agreed, self.compared)
        return None if share is None else 100 * share

    @property
    def kappa(self) -> float | None:
        return cohen_kappa(self.counts)

    @property
    def rows(self) -> list[tuple[CellClass, tuple[int, ...], int]]:
        """Each class of the reader's with its counts by the model's class and their sum."""
        return [
            (cell_class, row, sum(row))
            for cell_class, row in zip(CellClass, self.counts, strict=True)
        ]

    @property
    def by_model(self) -> list[int]:
        """How many of the compared cells the model gave each class."""
        return [sum(column) for column in zip(*self.counts, strict=True)]


def agreement(scope: Scope) -> Agreement:
    """The standing findings of the cases signed in the period, against the answer then shown."""
    pairs = (
        queries.findings_of(scope.signed)
        .annotate(
            said=Choice(
                When(prediction=None, then=None),
                When(prediction__reasons=[], then=F("prediction__cell_class")),
                default=Value(ABSTAINED),
                output_field=CharField(),
            )
        )
        .values_list("cell_class", "said")
        .annotate(count=Count("pk"))
    )
    counted = {(found, said): count for found, said, count in pairs}
    return Agreement(
        counts=tuple(
            tuple(counted.get((found.value, predicted.value), 0) for predicted in CellClass)
            for found in CellClass
        ),
        excluded=sum(count for (found, _), count in counted.items() if not found),
        unanswered=sum(n for (found, said), n in counted.items() if found and said is None),
        abstained=sum(n for (found, said), n in counted.items() if found and said == ABSTAINED),
    )


def cohen_kappa(counts: Sequence[Sequence[int]]) -> float | None:
    """Agreement beyond chance, (p_o - p_e) / (1 - p_e), of two readers over the same cells.

    p_o is the share on which both agree, p_e the share on which they would agree by chance, were
    each to keep their own frequencies and ignore the cell: J. Cohen, A coefficient of agreement
    for nominal scales, Educational and Psychological Measurement 20 (1960) 37-46,
    doi 10.1177/001316446002000104. None where it is undefined: without cells, or when both gave
    one and the same class to all.
    """
    total = sum(map(sum, counts))
    agreed = sum(row[n] for n, row in enumerate(counts))
    columns = [sum(column) for column in zip(*counts, strict=True)]
    by_chance = sum(sum(row) * column for row, column in zip(counts, columns, strict=True))
    if total * total == by_chance:  # whole numbers: equal means equal
        return None
    return float((total * agreed - by_chance) / (total * total - by_chance))


# --- Interpretations


@dataclass(frozen=True, slots=True)
class InterpretationCount:
    """How many cases were signed with this leading interpretation, or as unsatisfactory."""

    code: str
    label: str
    count: int
    percent: float


_RESULTS: dict[str, str] = (
    {code: str(term.label) for code, term in INTERPRETATIONS.items()}
    | {
        adequacy.value: str(adequacy.label)
        for adequacy in (Adequacy.UNSATISFACTORY, Adequacy.REJECTED)
    }
    | {"": "No read on record"}
)


def interpretations(scope: Scope) -> list[InterpretationCount]:
    """The results of the cases signed in the period, in the order of the Bethesda System.

    A case counts once, under the leading interpretation of the report that is in force; without
    one, under its adequacy.
    """
    newest = Report.objects.filter(case=OuterRef("pk")).order_by("-version")
    reads = (
        scope.signed.annotate(said=Subquery(newest.values("read")[:1]))
        .annotate(leading=KT("said__interpretations__0"), adequacy=KT("said__adequacy"))
        .order_by()
        .values_list("leading", "adequacy")
        .annotate(count=Count("pk"))
    )
    counts: dict[str, int] = {}
    for leading, adequacy, count in reads:
        result = leading or adequacy or ""
        counts[result] = counts.get(result, 0) + count
    total = sum(counts.values())
    return [
        InterpretationCount(code, label, counts[code], 100 * counts[code] / total)
        for code, label in _RESULTS.items()
        if code in counts
    ]


# --- Report changes


@dataclass(frozen=True, slots=True)
class ReportMonth:
    """What was issued in a month, named by its first day, and what came of its first versions."""

    month: date
    signed: int
    addenda: int
    amendments: int
    corrections: int
    changed: int  # of the reports that were signed in this month, whenever they were changed

    @property
    def changed_percent(self) -> float | None:
        share = _share(self.changed, self.signed)
        return None if share is None else 100 * share


@dataclass(frozen=True, slots=True)
class ReportChanges:
    """The months of a period in which a report was signed or changed, and their sum."""

    months: tuple[ReportMonth, ...]

    @property
    def total(self) -> ReportMonth | None:
        if not self.months:
            return None
        return ReportMonth(
            self.months[0].month,
            *(
                sum(getattr(month, name) for month in self.months)
                for name in ("signed", "addenda", "amendments", "corrections", "changed")
            ),
        )


def report_changes(scope: Scope) -> ReportChanges:
    """Addenda, amendments and corrections by the month of the laboratory's zone they came in.

    The share that was changed is of the reports signed in the month, so that it never exceeds all.
    """
    later = Report.objects.filter(case=OuterRef("case"), version__gt=OuterRef("version"))
    zone = scope.user.laboratory.zone
    kinds = Report.Kind
    months = (
        Report.objects.filter(scope.since_then("signed_at"), case__in=scope.cases)
        .annotate(
            month=TruncMonth("signed_at", tzinfo=zone, output_field=DateField()),
            is_changed=Exists(later),
        )
        .values("month")
        .annotate(
            signed=Count("pk", filter=Q(kind=kinds.ORIGINAL)),
            addenda=Count("pk", filter=Q(kind=kinds.ADDENDUM)),
            amendments=Count("pk", filter=Q(kind=kinds.AMENDMENT)),
            corrections=Count("pk", filter=Q(kind=kinds.CORRECTION)),
            changed=Count("pk", filter=Q(kind=kinds.ORIGINAL, is_changed=True)),
        )
        .order_by("month")
    )
    return ReportChanges(tuple(ReportMonth(**row) for row in months))
