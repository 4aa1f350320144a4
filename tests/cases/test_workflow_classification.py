"""Runs: begun once, answered in batches, taken over from vanished workers."""

from datetime import timedelta

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from cases import activation, clock, queries, sight, storage, tasks, workflow
from cases.models import (
    AuditEvent,
    Case,
    ClassificationFailure,
    Prediction,
    ReadingSettings,
    Run,
)
from cases.workflow import Answer, InvalidTransition
from inference import classifier as inference
from inference import registry
from inference.labels import CellClass
from inference.models import ModelVersion
from tests import make

Status = Case.Status
AT_ODDS = (0.1, 0.6, 0.1, 0.1, 0.1)

pytestmark = pytest.mark.django_db


def an_hour_ago():
    return clock.now() - timedelta(hours=1)


def queued_run(images=2, **fields):
    return make.run(make.case(Status.QUEUED, images=images), **fields)


def actions(case):
    return [event.action for event in case.events.all()]


def test_submit_queues_a_run_and_wakes_a_worker_once_it_is_committed(
    django_capture_on_commit_callbacks,
):
    case = make.case(images=2)

    with django_capture_on_commit_callbacks() as woken:
        submitted = workflow.submit(case, case.accessioned_by, make.model_version())

    [run] = submitted.runs.all()
    assert (submitted.status, run.status, run.attempt) == (Status.QUEUED, "pending", 1)
    assert submitted.submitted_at is not None
    assert len(woken) == 1
    [event] = submitted.events.all()
    assert (event.action, event.actor) == ("submit", case.accessioned_by)
    assert (event.from_status, event.to_status) == (Status.DRAFT, Status.QUEUED)


def test_submit_without_images_is_refused():
    case = make.case()

    with pytest.raises(workflow.Refused, match="at least one cell image"):
        workflow.submit(case, case.accessioned_by, make.model_version())

    case.refresh_from_db()
    assert case.status == Status.DRAFT
    assert not case.runs.exists()


def test_begin_is_done_once():
    run = queued_run()

    case = workflow.begin(run)

    with pytest.raises(InvalidTransition):
        workflow.begin(run)
    run.refresh_from_db()
    assert (case.status, run.status) == (Status.CLASSIFYING, Run.Status.RUNNING)
    assert actions(case) == ["begin"]


def test_classify_run_delivered_twice_does_the_work_once():
    run = queued_run()

    tasks.classify_run(str(run.pk))
    tasks.classify_run(str(run.pk))

    run.case.refresh_from_db()
    assert run.case.status == Status.AWAITING_REVIEW
    assert run.predictions.count() == 2
    assert actions(run.case) == ["begin", "record"]


def test_r25_a_prediction_keeps_what_the_model_said():
    run = queued_run(images=1)
    workflow.begin(run)
    shipped = registry.current()
    make.newer_model_version()

    workflow.advance(run, [Answer(run.case.images.get().pk, AT_ODDS)])

    prediction = run.predictions.get()
    assert prediction.cell_class == "Koilocytotic"
    assert prediction.confidence == 0.6
    assert prediction.abnormality == pytest.approx(0.7)
    assert tuple(prediction.probabilities) == AT_ODDS
    version = prediction.model_version
    assert version == run.model_version == shipped
    assert version.digest == shipped.digest, "weights and thresholds are in it"
    assert version.preprocessing_version


def test_r25_a_prediction_keeps_its_set_its_familiarity_its_reasons_and_its_arrays():
    run = queued_run(images=1)
    workflow.begin(run)
    why = ("It cannot tell Koilocytotic from Metaplastic.", "The picture is blurred.")
    maps, features = bytes(360), bytes(activation.FEATURE_BYTES)
    answer = Answer(
        run.case.images.get().pk,
        AT_ODDS,
        prediction_set=("Koilocytotic", "Metaplastic"),
        familiarity=0.04,
        reasons=why,
        activation_maps=maps,
        features=features,
    )

    workflow.advance(run, [answer])

    kept = run.predictions.get()
    assert kept.prediction_set == ["Koilocytotic", "Metaplastic"]
    assert (kept.familiarity, tuple(kept.reasons)) == (0.04, why)
    assert (bytes(kept.activation_maps), bytes(kept.features)) == (maps, features)
    assert (kept.abstained, kept.stated_class, kept.cell_class) == (True, "", "Koilocytotic")


@pytest.mark.parametrize(
    "broken",
    [
        {"prediction_set": ["Endocervical"], "reasons": ["So."]},
        {"prediction_set": ["Metaplastic"]},  # not the likeliest
        {"prediction_set": ["Parabasal", "Metaplastic"], "reasons": []},
        {"reasons": [""]},
        {"probabilities": [0.25, 0.25, 0.25, 0.25]},
        {"familiarity": 1.01},
        {"familiarity": -0.01},
        {"level": 0.99},  # without the threshold
        {"level": 1, "threshold": 0.9},
        {"disagreement": -0.01},
        {"activation_maps": bytes(359)},
        {"features": bytes(2562)},
    ],
    ids=str,
)
def test_r24_r25_the_database_refuses_an_answer_that_cannot_be(broken):
    case = make.case(Status.AWAITING_REVIEW, images=1)

    with pytest.raises(IntegrityError), transaction.atomic():
        Prediction.objects.update(**broken)

    assert case.images.get().predictions.get().stated_class == "Parabasal"


class Doubtful:
    """A classifier that abstains on every picture."""

    def __init__(self, level=0.99):
        self.level = level

    def at(self, level):
        return Doubtful(level)

    def classify_batches(self, images):
        yield [
            inference.Prediction(
                AT_ODDS,
                prediction_set=(CellClass.KOILOCYTOTIC, CellClass.METAPLASTIC),
                familiarity=0.5,
                reasons=("It cannot tell Koilocytotic from Metaplastic.",),
                level=self.level,
                threshold=0.75,
                disagreement=0.125,
            )
            for _ in images
        ]


def test_r25_what_the_classifier_says_of_its_certainty_reaches_the_row(monkeypatch):
    run = queued_run(images=1)
    monkeypatch.setitem(registry._loaded, run.model_version.digest, Doubtful())  # noqa: SLF001

    tasks.classify_run(str(run.pk))

    kept = run.predictions.get()
    assert kept.prediction_set == ["Koilocytotic", "Metaplastic"]
    assert (kept.familiarity, len(kept.reasons)) == (0.5, 1)
    assert (kept.level, kept.threshold, kept.disagreement) == (0.99, 0.75, 0.125)
    assert (kept.activation_maps, kept.features) == (None, None)


def test_r25_a_laboratory_chooses_the_level_and_what_was_answered_keeps_its_own(monkeypatch):
    before = make.case(Status.AWAITING_REVIEW, images=1)
    run = queued_run(images=1)
    monkeypatch.setitem(registry._loaded, run.model_version.digest, Doubtful())  # noqa: SLF001
    ReadingSettings.objects.create(laboratory=run.case.laboratory, set_level=0.95)

    tasks.classify_run(str(run.pk))

    assert run.predictions.get().level == 0.95
    assert Prediction.objects.get(image__case=before).level is None  # as it was made


def test_a_level_that_the_model_does_not_know_fails_the_case_with_a_sentence():
    run = queued_run(images=1)
    ReadingSettings.objects.create(laboratory=run.case.laboratory, set_level=0.95)
    known = registry.classifier_for(run.model_version).calibration
    del known.thresholds["0.95"]
    try:
        tasks.classify_run(str(run.pk))
    finally:
        registry.forget()

    run.refresh_from_db()
    assert run.failure == "This model has no prediction sets at 95%, but at 90%, 99%."


def test_a_laboratory_chooses_its_model_and_others_keep_the_current_one():
    case = make.case(Status.AWAITING_REVIEW, images=1)
    current, other = registry.current(), make.newer_model_version()
    ModelVersion.objects.update(is_current=False)
    ModelVersion.objects.filter(pk=current.pk).update(is_current=True)

    assert queries.answering_model(case.laboratory) == current
    ReadingSettings.objects.create(laboratory=case.laboratory, model_version=other)

    assert queries.answering_model(case.laboratory) == other
    assert queries.answering_model(make.laboratory()) == current


def test_a_worker_loads_the_model_before_its_first_case():
    make.model_version()
    registry.forget()

    tasks.load_model()

    assert list(registry._loaded) == [registry.current().digest]  # noqa: SLF001


def test_a_worker_without_a_model_begins_all_the_same():
    registry.forget()

    tasks.load_model()

    assert registry._loaded == {}  # noqa: SLF001


def test_a_version_that_is_not_calibrated_says_nothing_of_familiarity():
    said = inference.Prediction(AT_ODDS, familiarity=1.0)
    image = make.image(make.case())

    assert tasks.answer(image, said).familiarity is None


def test_r25_the_maps_and_features_of_the_pass_through_the_network_are_kept():
    run = queued_run(images=1)

    tasks.classify_run(str(run.pk))

    kept = run.predictions.get()
    [said] = registry.classifier_for(run.model_version).classify(
        [storage.open_image(run.case.laboratory_id, run.case.images.get().digest)]
    )
    assert np.array(activation.unpack_maps(bytes(kept.activation_maps))) == pytest.approx(
        said.activation_maps, rel=1e-2, abs=1e-3
    )
    assert np.frombuffer(bytes(kept.features), "<f2") == pytest.approx(
        said.features, rel=1e-3, abs=1e-3
    )


def test_r25_a_newer_model_version_answers_beside_the_older_and_takes_nothing_away(
    monkeypatch, django_capture_on_commit_callbacks
):
    case = make.case(Status.AWAITING_REVIEW, images=2)
    older = list(Prediction.objects.order_by("pk").values())
    newer = make.newer_model_version()
    monkeypatch.setitem(registry._loaded, newer.digest, Doubtful())  # noqa: SLF001

    with django_capture_on_commit_callbacks(execute=False) as woken:
        queued = workflow.reclassify(case, case.accessioned_by, newer)
    tasks.classify_run(str(queued.runs.get(status="pending").pk))

    case.refresh_from_db()
    assert (queued.status, len(woken)) == (Status.QUEUED, 1)
    assert case.status == Status.AWAITING_REVIEW
    kept = Prediction.objects.exclude(model_version=newer)
    assert list(kept.order_by("pk").values()) == older
    assert [one.model_version for one in queries.shown_predictions(case, sight.WHOLE)] == [
        newer,
        newer,
    ]
    event = case.events.first()
    assert (event.action, event.actor) == ("reclassify", case.accessioned_by)
    assert event.detail == {"model_version": "newer"}
    assert actions(case) == ["reclassify", "begin", "record"]


def test_a_model_version_that_has_answered_is_not_asked_again():
    case = make.case(Status.AWAITING_REVIEW, images=1)

    with pytest.raises(workflow.Refused, match="has answered this case already"):
        workflow.reclassify(case, case.accessioned_by, make.model_version())

    case.refresh_from_db()
    assert case.status == Status.AWAITING_REVIEW
    assert case.runs.count() == 1
    assert not case.events.exists()


def test_a_picture_that_cannot_be_read_fails_by_name_while_the_others_succeed():
    run = queued_run(images=3)
    lost = run.case.images.first()
    storage.delete(run.case.laboratory_id, lost.digest)

    tasks.classify_run(str(run.pk))

    run.case.refresh_from_db()
    assert run.case.status == Status.AWAITING_REVIEW
    assert run.predictions.count() == 2
    [failure] = run.failures.all()
    assert failure.image == lost
    assert "missing" in failure.reason


def test_a_run_with_no_readable_picture_fails_and_says_why():
    run = queued_run(images=1)
    storage.delete(run.case.laboratory_id, run.case.images.get().digest)

    tasks.classify_run(str(run.pk))

    run.refresh_from_db()
    run.case.refresh_from_db()
    assert (run.case.status, run.status) == (Status.FAILED, Run.Status.FAILED)
    assert "None of the pictures could be read" in run.failure


def test_a_model_that_is_not_what_was_registered_fails_the_run_with_a_sentence():
    version = make.model_version()
    type(version).objects.update(digest="0" * 64)
    run = queued_run(version=version)

    tasks.classify_run(str(run.pk))

    run.case.refresh_from_db()
    assert run.case.status == Status.FAILED
    assert "no longer holds the model" in run.case.runs.get().failure


def test_recover_gives_the_case_of_a_vanished_worker_to_another(
    django_capture_on_commit_callbacks,
):
    run = queued_run()
    workflow.begin(run)
    first, _ = run.case.images.all()
    workflow.advance(run, [Answer(first.pk, AT_ODDS)])
    Run.objects.update(heartbeat_at=an_hour_ago())

    with django_capture_on_commit_callbacks() as woken:
        workflow.recover()

    case = run.case
    assert [r.status for r in case.runs.order_by("attempt")] == ["failed", "pending"]
    assert len(woken) == 1
    tasks.classify_run(str(case.runs.get(status="pending").pk))
    assert Prediction.objects.filter(image__case=case).count() == 2
    assert first.predictions.get().run == run, "what the vanished worker answered is kept"
    assert actions(case) == ["begin", "requeue", "begin", "record"]


def test_recover_leaves_a_worker_alone_that_shows_itself():
    run = queued_run()
    workflow.begin(run)

    workflow.recover()

    run.refresh_from_db()
    assert run.status == Run.Status.RUNNING


def test_recover_wakes_a_worker_for_a_lost_message_once(django_capture_on_commit_callbacks):
    run = queued_run()
    Run.objects.update(woken_at=an_hour_ago())

    with django_capture_on_commit_callbacks() as woken:
        workflow.recover()
        workflow.recover()

    assert len(woken) == 1
    run.refresh_from_db()
    assert run.status == Run.Status.PENDING


def test_after_three_vanished_workers_the_case_waits_for_a_person():
    run = queued_run()

    for _ in range(workflow.MAX_RUNS):
        workflow.begin(run.case.runs.get(status="pending"))
        Run.objects.filter(status="running").update(heartbeat_at=an_hour_ago())
        workflow.recover()

    case = Case.objects.get(pk=run.case.pk)
    assert case.status == Status.FAILED
    assert case.runs.count() == workflow.MAX_RUNS
    assert "vanished 3 times" in case.runs.get(attempt=3).failure
    retried = workflow.retry(case, case.accessioned_by, make.model_version())
    assert retried.runs.get(status="pending").attempt == 1


def test_a_slow_worker_cannot_overwrite_the_one_that_replaced_it():
    slow = queued_run(images=1)
    workflow.begin(slow)
    Run.objects.update(heartbeat_at=an_hour_ago())
    workflow.recover()
    workflow.begin(slow.case.runs.get(status="pending"))
    answer = Answer(slow.case.images.get().pk, AT_ODDS)

    with pytest.raises(InvalidTransition, match="no longer running"):
        workflow.advance(slow, [answer])

    with pytest.raises(InvalidTransition, match="no longer running"):
        workflow.record(slow)
    assert not Prediction.objects.exists()


def test_record_refuses_a_run_that_has_not_answered_every_image():
    run = queued_run()
    workflow.begin(run)
    workflow.advance(run, [Answer(run.case.images.first().pk, AT_ODDS)])

    with pytest.raises(InvalidTransition, match="1 image without an answer"):
        workflow.record(run)

    run.case.refresh_from_db()
    assert run.case.status == Status.CLASSIFYING


def test_r25_an_image_fails_a_run_once_and_is_answered_once_per_model_version():
    case = make.case(Status.AWAITING_REVIEW, images=1)
    [run] = case.runs.all()
    image = case.images.get()

    with pytest.raises(IntegrityError), transaction.atomic():
        make.prediction(run, image, CellClass.PARABASAL)
    ClassificationFailure.objects.create(run=run, image=image, reason="no")
    with pytest.raises(IntegrityError), transaction.atomic():
        ClassificationFailure.objects.create(run=run, image=image, reason="no")


def test_a_case_has_one_live_run():
    run = queued_run()

    with pytest.raises(IntegrityError), transaction.atomic():
        make.run(run.case)


def test_the_trail_is_written_by_no_one_when_the_clock_or_a_worker_acts():
    run = queued_run()

    workflow.begin(run)

    assert AuditEvent.objects.get().actor is None
