"""Who reads in a laboratory, and what each person read, as far as another may know it (R11)."""

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import Role, User
from cases.models import Case, Review
from cases.sight import reads_shown_to


def readers(user: User) -> QuerySet[User]:
    """The people of the laboratory who read."""
    people = User.objects.filter(laboratory=user.laboratory_id, is_active=True)
    return people.exclude(role=Role.ADMINISTRATOR)


def reads_of(person: User, user: User) -> QuerySet[Review]:
    """Who read what, when, with which result (R11); a result that another may not know is marked.

    ``is_shown`` says whether whoever looks may see the result: a later reader is blind to it (R6).
    """
    shown = Case.objects.filter(reads_shown_to(user), pk=OuterRef("case"))
    return (
        Review.objects.filter(reader=person)
        .select_related("case")
        .annotate(is_shown=Exists(shown))
        .order_by("-started_at", "-pk")
    )


def told_result(read: Review, user: User) -> dict[str, Any] | None:
    """What a read of `reads_of` says, once there is a result that this person may know."""
    is_shown = getattr(read, "is_shown", False) or read.reader_id == user.pk
    said: dict[str, Any] | None = read.read or read.committed_read
    return said if is_shown else None
