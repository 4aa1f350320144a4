"""What is looked into after the signature: a laboratory's look-backs (R7) and histology (R8)."""

from collections.abc import Mapping

from django.db.models import BooleanField, Exists, OuterRef, Q, QuerySet, When
from django.db.models import Case as Case_

from accounts.models import User
from cases.models import Histology, Report, Task


def look_backs(user: User) -> QuerySet[Task]:
    """The laboratory's look-backs, with whether the amendment that one asks for was issued."""
    amended = Report.objects.filter(
        case=OuterRef("case"), kind=Report.Kind.AMENDMENT, signed_at__gte=OuterRef("opened_at")
    )
    return (
        Task.objects.filter(case__laboratory=user.laboratory_id)
        .select_related("case__patient", "trigger", "done_by")
        .annotate(
            is_amended=Exists(amended),
            is_to_amend=Case_(
                When(Q(result=Task.Result.AFFECTS_CARE) & ~Q(Exists(amended)), then=True),
                default=False,
                output_field=BooleanField(),
            ),
        )
    )


LOOK_BACKS: Mapping[str, tuple[str, Q]] = {  # by state: its name, and which are in it
    "open": ("Open", Q(done_at=None)),
    "to-amend": ("To amend", Q(is_to_amend=True)),
    "done": ("Done", Q(done_at__isnull=False)),
}


def histologies(user: User) -> QuerySet[Histology]:
    """Every result of histology of the laboratory, the newest first."""
    return (
        Histology.objects.filter(case__laboratory=user.laboratory_id)
        .select_related("case__patient", "recorded_by")
        .order_by("-recorded_at", "-pk")
    )
