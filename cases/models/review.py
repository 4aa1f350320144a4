"""What people said: reads, their findings, what was in sight, what was passed on."""

from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.db.models import Q

from accounts.models import Laboratory, User
from cases import clock, policy
from cases.models.case import Case, CellImage
from cases.models.classification import CELL_CLASSES, Prediction


class Review(models.Model):
    """One person's read of a case: begun by `claim`, and kept for ever (R11).

    What the reader committed as their own is locked by the database. ``read`` is what they stand
    by in the end; the two may differ only where the model's output was shown in between (R22).
    """

    class Kind(models.TextChoices):
        SCREENING = "screening"
        RESCREEN = "rescreen"
        REVIEW = "review"
        ADJUDICATION = "adjudication"

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="reviews")
    reader = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.REVIEW)
    is_blind = models.BooleanField(
        default=False, help_text="The model's output was hidden until the reader committed."
    )
    started_at = models.DateTimeField(default=clock.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    committed_at = models.DateTimeField(null=True, blank=True)
    committed_read = models.JSONField(
        null=True, blank=True, help_text="Adequacy and interpretation, as committed."
    )
    read = models.JSONField(
        null=True, blank=True, help_text="Adequacy and interpretation, once concluded or signed."
    )
    change_reason = models.TextField(
        blank=True, help_text="Why the read was changed after the model's output was shown."
    )
    outcome = models.CharField(
        max_length=12, blank=True, choices=[(one.value, one.value) for one in policy.Outcome]
    )
    why = models.TextField(blank=True, help_text="Why this outcome, with its rule.")
    superseded_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When a pathologist asked for another screening in the place of this one.",
    )

    class Meta:
        ordering = ["started_at"]
        constraints = [
            models.UniqueConstraint(
                "case",
                "reader",
                "kind",
                name="reader_has_one_review_of_a_kind_of_a_case",
                condition=Q(superseded_at=None),
            ),
            models.CheckConstraint(
                name="review_that_is_superseded_is_a_screening_that_was_concluded",
                condition=Q(superseded_at=None)
                | Q(kind="screening", ended_at__isnull=False, read__isnull=False),
            ),
            models.UniqueConstraint(
                "case", name="case_has_one_open_review", condition=Q(ended_at=None)
            ),
            models.CheckConstraint(
                name="review_is_committed_with_its_read",
                condition=Q(committed_at=None, committed_read__isnull=True)
                | Q(committed_at__isnull=False, committed_read__isnull=False),
            ),
            models.CheckConstraint(
                name="review_with_an_outcome_says_why",
                condition=(Q(outcome="") & Q(why="")) | (~Q(outcome="") & ~Q(why="")),
            ),
            models.CheckConstraint(
                name="review_that_is_a_rescreen_is_blind",
                condition=~Q(kind="rescreen") | Q(is_blind=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case} by {self.reader}"

    @property
    def awaits_commit(self) -> bool:
        """Whether the reader's own read is still to be committed before anything else is shown."""
        is_first = self.kind in (self.Kind.SCREENING, self.Kind.RESCREEN)
        return self.committed_at is None and (self.is_blind or is_first)


class Finding(models.Model):
    """A person's class for one cell image, or why they exclude it. Never filled in by the model.

    A finding is not edited: a new one is made and the old one withdrawn, so that the history of a
    reader's mind is kept.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="findings")
    image = models.ForeignKey(CellImage, on_delete=models.PROTECT, related_name="findings")
    cell_class = models.CharField(max_length=24, choices=CELL_CLASSES, blank=True)
    exclusion = models.CharField(max_length=200, blank=True, help_text="Why it is not counted.")
    prediction = models.ForeignKey(
        Prediction,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The model's answer beside which the finding was made, shown then or not.",
    )
    amended_by = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who changed it with an amendment of the report, where the reader did not.",
    )
    made_at = models.DateTimeField(default=clock.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["made_at"]
        constraints = [
            models.UniqueConstraint(
                "review",
                "image",
                name="reader_has_one_finding_per_image",
                condition=Q(withdrawn_at=None),
            ),
            models.CheckConstraint(
                name="finding_is_a_class_or_an_exclusion",
                condition=(Q(cell_class="") & ~Q(exclusion=""))
                | (~Q(cell_class="") & Q(exclusion="")),
            ),
        ]

    def __str__(self) -> str:
        return self.cell_class or f"excluded: {self.exclusion}"

    @property
    def agrees(self) -> bool | None:
        """Whether the reader said what the model said; None where there is nothing to compare."""
        stated = self.prediction.stated_class if self.prediction else ""
        if not stated or not self.cell_class:
            return None
        return self.cell_class == stated


class Display(models.Model):
    """That a cell image was in sight of a reader of its case, and since when.

    A reader signs what they have seen: `sign` refuses while a cell was neither displayed to them
    nor excluded by them. A colleague's displays count for the colleague alone.
    """

    image = models.ForeignKey(CellImage, on_delete=models.PROTECT, related_name="displays")
    reader = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint("image", "reader", name="image_is_displayed_to_a_reader_once"),
        ]

    def __str__(self) -> str:
        return f"{self.image} to {self.reader}"


class RescreenDraw(models.Model):
    """One draw: whether a negative read is held for rescreen, and what it takes to draw again (R5).

    ``seed`` is that of the series, ``rank`` the place of the read in it; see `policy.drawn`.
    """

    laboratory = models.ForeignKey(Laboratory, on_delete=models.PROTECT, related_name="+")
    review = models.OneToOneField(Review, on_delete=models.PROTECT, related_name="draw")
    series = models.PositiveIntegerField()
    rank = models.PositiveSmallIntegerField()
    seed = models.CharField(max_length=32)
    share = models.PositiveSmallIntegerField(help_text="Percent, as the laboratory had chosen.")
    is_drawn = models.BooleanField(help_text="At random, by seed and rank.")
    higher_risk = models.CharField(max_length=100, blank=True, help_text="Why; empty where not.")
    drawn_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["laboratory", "series", "rank"]
        constraints = [
            models.UniqueConstraint(
                "laboratory", "series", "rank", name="rank_is_drawn_once_in_a_series"
            ),
            models.CheckConstraint(
                name="draw_never_takes_less_than_ten_percent", condition=Q(share__gte=10)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.series}/{self.rank}"

    @property
    def chosen(self) -> frozenset[int]:
        """The ranks of this series that are drawn, from the record alone."""
        return policy.drawn(self.seed, self.share)


class Comment(models.Model):
    """What a colleague was told about a case that was passed on to them; it stays."""

    class Reason(models.TextChoices):
        HAND_OVER = "hand_over", "Handed over"
        SEND_BACK = "send_back", "Sent back"

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="comments")
    reason = models.CharField(max_length=12, choices=Reason.choices)
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    to = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.CheckConstraint(
                name="case_sent_back_comes_with_words",
                condition=~Q(reason="send_back") | ~Q(text=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.author} to {self.to}: {self.text}"
