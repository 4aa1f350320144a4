"""The worklist: the queues that a person goes by, their counts, and the cases of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.models import Role, User
from accounts.permissions import is_senior_cytotechnologist
from cases import clock
from cases.models import Case, CellImage, ReadingSettings, Review

Status = Case.Status


IS_OPEN = ~Q(status=Status.SIGNED)


def mine(user: User) -> Q:
    """What a person has in hand: accessioned and not yet submitted, failed, or held."""
    return Q(accessioned_by=user, status__in=[Status.DRAFT, Status.FAILED]) | Q(
        reviewer=user, status__in=[*Case.HELD, Status.AWAITING_SIGNATURE]
    )


# The open states whose next step is one of a role's; an administrator's team is the laboratory.
STEPS: Mapping[str, Sequence[str]] = {
    Role.CYTOTECHNOLOGIST: [
        Status.DRAFT,
        Status.FAILED,
        Status.AWAITING_SCREENING,
        Status.SCREENING,
        Status.AWAITING_SIGNATURE,
    ],
    Role.PATHOLOGIST: [Status.AWAITING_REVIEW, Status.REVIEWING],
}


def team(user: User) -> Q:
    """The open cases at the step of a person's role, whoever has them in hand."""
    steps = STEPS.get(user.role)
    return IS_OPEN if steps is None else Q(status__in=steps)


def to_rescreen(user: User) -> Q:
    """What is held for a second reader, where this person may be the one (R6)."""
    if user.role != Role.PATHOLOGIST and not is_senior_cytotechnologist(user):
        return Q(pk__in=[])
    return Q(status=Status.AWAITING_RESCREEN) & ~Q(_read_first_by(user))


def _read_first_by(user: User) -> Exists:
    """As `queries.has_read_first` says of one case."""
    reads = Review.objects.filter(case=OuterRef("pk"), reader=user)
    return Exists(reads.exclude(kind=Review.Kind.RESCREEN))


_WAITS_FOR = {
    Role.CYTOTECHNOLOGIST: Status.AWAITING_SCREENING,
    Role.PATHOLOGIST: Status.AWAITING_REVIEW,
}


def claimable(user: User) -> Q:
    """What waits for a read that this person may begin."""
    return Q(status=_WAITS_FOR.get(Role(user.role), "")) | to_rescreen(user)


def sent_back(user: User) -> Q:
    """What a person is asked to mend; a colleague's too, once the colleague can do it no more."""
    if user.role != Role.CYTOTECHNOLOGIST:
        return Q(sent_back_to=user)
    has_gone = Q(sent_back_to__is_active=False) | ~Q(sent_back_to__role=Role.CYTOTECHNOLOGIST)
    return Q(sent_back_to=user) | (Q(sent_back_to__isnull=False) & has_gone)


def overdue(_: User) -> Q:
    return IS_OPEN & Q(due_at__lt=clock.now())


@dataclass(frozen=True, slots=True)
class Queue:
    """A list of cases that a person goes by."""

    label: str
    which: Callable[[User], Q]


# by their names in addresses
QUEUES = {
    "open": Queue("Open", lambda _: IS_OPEN),
    "mine": Queue("Mine", mine),
    "team": Queue("Team", team),
    "sent_back": Queue("Sent back", sent_back),
    "rescreen": Queue("To rescreen", to_rescreen),
    "overdue": Queue("Overdue", overdue),
}


def in_queue(user: User, state: str) -> Q:
    return QUEUES[state].which(user)


@dataclass(frozen=True, slots=True)
class Tile:
    """A state of the worklist with its count."""

    state: str
    label: str
    count: int


def tiles(user: User) -> list[Tile]:
    """The counted queues of a person, and the counted states of their laboratory."""
    counts = Case.objects.visible_to(user).aggregate(
        **{state: Count("pk", filter=queue.which(user)) for state, queue in QUEUES.items()},
        **{status: Count("pk", filter=Q(status=status)) for status in Status.values},
    )
    labels = {state: queue.label for state, queue in QUEUES.items()} | dict(Status.choices)
    screens = ReadingSettings.of(user.laboratory).primary_screening
    return [
        Tile(state, label, counts[state])
        for state, label in labels.items()
        if screens or counts[state] or state not in ("rescreen", *Case.OF_SCREENING)
    ]


# counted for the rows of a page only: a join would count for the whole laboratory first
_IMAGE_COUNT = Subquery(
    CellImage.objects.filter(case=OuterRef("pk"))
    .order_by()
    .values("case")
    .annotate(count=Count("pk"))
    .values("count")
)


def listed(user: User, state: str, search: str = "", priority: str = "") -> QuerySet[Case]:
    """The cases of a tile with what a row of the list shows; `cases.paging` puts them in order.

    A search by accession number or patient id looks at every state where none is chosen.
    """
    cases = (
        Case.objects.visible_to(user)
        .with_people()
        .annotate(
            image_count=Coalesce(_IMAGE_COUNT, 0),
            was_read_by_me=_read_first_by(user),
        )
    )
    if search:
        cases = cases.filter(
            Q(accession_number__icontains=search) | Q(patient__record_number__iexact=search)
        )
    if priority:
        cases = cases.filter(priority=priority)
    if state in QUEUES and not (state == "open" and search):
        cases = cases.filter(in_queue(user, state))
    elif state in Status.values:
        cases = cases.filter(status=state)
    return cases


def waiting(user: User, but: Case) -> QuerySet[Case]:
    """The open cases of the user's laboratory but this one, the first due first."""
    others = Case.objects.visible_to(user).filter(IS_OPEN).exclude(pk=but.pk)
    return others.select_related("laboratory", "reviewer").order_by("due_at", "pk")
