"""What happened to a case."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import ChainedEvent, Laboratory, User
from cases import clock
from cases.models.case import Case


class AuditEvent(ChainedEvent):
    """What happened to a case: append-only and chained, by triggers in the database (R18)."""

    id = models.BigAutoField(primary_key=True)
    laboratory = models.ForeignKey(Laboratory, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="events")
    actor = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(max_length=40)
    from_status = models.CharField(max_length=20, blank=True)
    to_status = models.CharField(max_length=20, blank=True)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                "laboratory", "sequence", name="audit_event_has_its_place_in_the_chain"
            ),
        ]
        indexes = [
            # did this person look at the case lately? asked by every page of it
            models.Index(
                fields=["case", "actor", "at"], name="audit_event_view", condition=Q(action="view")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.at:%Y-%m-%d %H:%M}"
