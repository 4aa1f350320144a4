"""Classification: the verbs of workers and of the clock, and a person's retry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.db.transaction import atomic

from accounts.models import User
from cases import clock, permissions, queries, queue, wording
from cases.models import (
    Case,
    CellImage,
    ClassificationFailure,
    Prediction,
    ReadingSettings,
    Run,
)
from cases.workflow.transition import InvalidTransition, Refused, one_of, require, transition
from inference.labels import CellClass
from inference.models import ModelVersion

MAX_RUNS = 3  # a case that loses its worker three times waits for a person
Status = Case.Status
UNREAD: tuple[str, ...] = (Status.AWAITING_SCREENING, Status.AWAITING_REVIEW)


def queue_run(case: Case, model_version: ModelVersion, *, attempt: int) -> Run:
    now = clock.now()
    run = Run.objects.create(
        case=case, model_version=model_version, attempt=attempt, queued_at=now, woken_at=now
    )
    queue.enqueue(run)
    return run


def _live(run: Run, status: str) -> Run:
    """The fresh run under a lock, if it is still in this state: another may have taken it over."""
    fresh = Run.objects.select_for_update().get(pk=run.pk)
    if fresh.status != status:
        raise InvalidTransition(f"This run is no longer {status}.")
    return fresh


def begin(run: Run) -> Case:
    """Take a waiting run; of two workers only one can."""
    with transition(run.case, None, "begin", Status.QUEUED, Status.CLASSIFYING) as (case, detail):
        fresh = _live(run, Run.Status.PENDING)
        fresh.status = Run.Status.RUNNING
        fresh.started_at = fresh.heartbeat_at = clock.now()
        fresh.save()
        detail["run"] = str(run.pk)
        detail["attempt"] = fresh.attempt
    return case


@dataclass(frozen=True, slots=True)
class Answer:
    """A model version's word on one image, or in ``failure`` why there is none.

    Probabilities stand in the order of the labels; ``level`` and ``threshold`` are those of the
    prediction set, ``disagreement`` is of an ensemble; ``reasons`` say why the model abstains; maps
    and features are as `cases.activation` packs them.
    """

    image_id: UUID
    probabilities: tuple[float, ...] = ()
    failure: str = ""
    prediction_set: tuple[str, ...] = ()
    familiarity: float | None = None
    level: float | None = None
    threshold: float | None = None
    disagreement: float | None = None
    reasons: tuple[str, ...] = ()
    activation_maps: bytes | None = None
    features: bytes | None = None


def advance(run: Run, answers: Sequence[Answer]) -> None:
    """Keep a batch of answers and show that the worker lives.

    A worker that was taken over meanwhile is told so by `InvalidTransition` and keeps nothing.
    """
    with atomic():
        fresh = _live(run, Run.Status.RUNNING)
        Prediction.objects.bulk_create(
            _prediction(fresh, answer) for answer in answers if not answer.failure
        )
        ClassificationFailure.objects.bulk_create(
            ClassificationFailure(run=fresh, image_id=answer.image_id, reason=answer.failure)
            for answer in answers
            if answer.failure
        )
        fresh.heartbeat_at = clock.now()
        fresh.save(update_fields=["heartbeat_at"])


def _prediction(run: Run, answer: Answer) -> Prediction:
    by_class = dict(zip(CellClass, answer.probabilities, strict=True))
    likeliest = max(by_class, key=lambda cell_class: by_class[cell_class])
    abnormality = sum(p for cell_class, p in by_class.items() if cell_class.is_abnormal)
    return Prediction(
        run=run,
        image_id=answer.image_id,
        model_version_id=run.model_version_id,
        probabilities=list(answer.probabilities),
        cell_class=likeliest.value,
        confidence=by_class[likeliest],
        abnormality=abnormality,
        prediction_set=list(answer.prediction_set),
        familiarity=answer.familiarity,
        level=answer.level,
        threshold=answer.threshold,
        disagreement=answer.disagreement,
        reasons=list(answer.reasons),
        activation_maps=answer.activation_maps,
        features=answer.features,
        created_at=clock.now(),
    )


def unanswered(run: Run) -> list[CellImage]:
    """The images of a run's case that it has neither failed nor its model version answered."""
    answered = Q(predictions__model_version_id=run.model_version_id) | Q(failures__run=run)
    return list(run.case.images.exclude(pk__in=CellImage.objects.filter(answered, case=run.case)))


def record(run: Run) -> Case:
    """Close a run whose images are all answered: the case waits for its reader.

    Where not one picture could be read there is nothing to review, and the case fails.
    """
    answers = Prediction.objects.filter(
        image__case_id=run.case_id, model_version_id=run.model_version_id
    )
    if run.failures.exists() and not answers.exists():
        return fail(run, "None of the pictures could be read.")
    with transition(run.case, None, "record", Status.CLASSIFYING, _next_reader(run.case)) as (
        case,
        detail,
    ):
        fresh = _live(run, Run.Status.RUNNING)
        if missing := len(unanswered(fresh)):
            images = wording.count(missing, "image")
            raise InvalidTransition(f"This run has {images} without an answer.")
        fresh.status = Run.Status.DONE
        fresh.finished_at = fresh.heartbeat_at = clock.now()
        fresh.save()
        detail["run"] = str(run.pk)
        detail["failures"] = fresh.failures.count()
    return case


def _next_reader(case: Case) -> str:
    """Whom the case waits for: where a laboratory screens, first a cytotechnologist, once.

    Again where a pathologist asked for another screening, which is still to be done.
    """
    screens = ReadingSettings.of(case.laboratory).primary_screening
    if (screens or queries.is_screened_again(case)) and queries.first_read(case) is None:
        return Status.AWAITING_SCREENING
    return Status.AWAITING_REVIEW


def fail(run: Run, reason: str) -> Case:
    """Give a case up to a person, with the reason as a sentence."""
    with transition(run.case, None, "fail", Status.CLASSIFYING, Status.FAILED) as (case, detail):
        fresh = _live(run, Run.Status.RUNNING)
        _close_failed(fresh, reason)
        detail["run"] = str(run.pk)
        detail["reason"] = reason
    return case


def _close_failed(run: Run, reason: str) -> None:
    run.status = Run.Status.FAILED
    run.finished_at = clock.now()
    run.failure = reason
    run.save()


def retry(case: Case, user: User, model_version: ModelVersion) -> Case:
    """Give a failed case a new run; what earlier runs answered is kept."""
    with transition(case, user, "retry", Status.FAILED, Status.QUEUED) as (case, _):
        require(permissions.can_retry(user, case), "Only cytotechnologists retry a case.")
        queue_run(case, model_version, attempt=1)
    return case


def reclassify(case: Case, user: User, model_version: ModelVersion) -> Case:
    """Ask a newer model version about a case that nobody reads; older answers are kept (R25)."""
    with one_of(case, "reclassify", dict.fromkeys(UNREAD, Status.QUEUED), user) as (case, detail):
        require(
            permissions.can_reclassify(user, case),
            "Only cytotechnologists and pathologists ask a model again.",
        )
        if not queries.is_outdated(case, model_version):
            raise Refused(f"The model {model_version} has answered this case already.")
        detail["model_version"] = model_version.name
        queue_run(case, model_version, attempt=1)
    return case


def requeue(run: Run) -> Case:
    """Take the case of a vanished worker over: a new run for it, until there were `MAX_RUNS`."""
    is_last = run.attempt >= MAX_RUNS
    target = Status.FAILED if is_last else Status.QUEUED
    with transition(run.case, None, "requeue", Status.CLASSIFYING, target) as (case, detail):
        fresh = _live(run, Run.Status.RUNNING)
        if not _is_stalled(fresh):
            raise InvalidTransition("This run's worker has shown itself again.")
        detail["run"] = str(run.pk)
        detail["attempt"] = fresh.attempt
        if is_last:
            _close_failed(
                fresh,
                f"The worker vanished {MAX_RUNS} times. No image and no answer is lost; "
                "retry when the workers are well.",
            )
        else:
            _close_failed(fresh, "The worker vanished.")
            queue_run(case, fresh.model_version, attempt=fresh.attempt + 1)
    return case


def _stalled_before() -> datetime:
    return clock.now() - timedelta(seconds=settings.STALLED_AFTER)


def _is_stalled(run: Run) -> bool:
    return run.heartbeat_at is not None and run.heartbeat_at < _stalled_before()


def recover() -> int:
    """Repair what a crash left: take over runs without a heartbeat, wake workers for waiting runs.

    May run at any time, any number of times, in several places at once. Returns how many runs it
    touched.
    """
    touched = 0
    stalled = Run.objects.filter(status=Run.Status.RUNNING, heartbeat_at__lt=_stalled_before())
    for run in stalled.select_related("case"):
        try:
            requeue(run)
        except InvalidTransition:  # another clock, or the worker itself, was quicker
            continue
        touched += 1
    unheard = Run.objects.filter(status=Run.Status.PENDING, woken_at__lt=_stalled_before())
    for run in unheard:
        claimed = Run.objects.filter(
            pk=run.pk, status=Run.Status.PENDING, woken_at=run.woken_at
        ).update(woken_at=clock.now())
        if claimed:
            queue.enqueue(run)
            touched += 1
    return touched
