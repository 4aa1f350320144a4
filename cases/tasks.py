"""What workers and the clock call: find the row, ask the classifier, call a verb."""

from contextlib import suppress

from celery import shared_task
from celery.signals import worker_process_init
from django.db import DatabaseError, connections

from accounts.models import Laboratory
from cases import activation, integrity, queue, storage, workflow
from cases.models import CellImage, ReadingSettings, Run
from inference import registry
from inference.calibration import CannotCalibrate
from inference.classifier import Prediction
from inference.preprocess import UnreadableImage
from inference.registry import NoCurrentModel
from inference.weights import WrongWeights


@worker_process_init.connect
def begin_process(**_told: object) -> None:
    """What a worker's process does before it takes its first case."""
    load_model()
    connections.close_all()


def load_model() -> None:
    """Load the current model, so that the first case need not wait for it.

    What is missing now is asked for again by the first case, which says so in a sentence.
    """
    with suppress(NoCurrentModel, WrongWeights, DatabaseError):
        registry.classifier_for(registry.current())


@shared_task(name=queue.CLASSIFY_RUN)
def classify_run(run_id: str) -> None:
    """Classify every image of one run. Delivered twice, it does the work once."""
    run = Run.objects.select_related("case", "model_version").get(pk=run_id)
    with suppress(workflow.InvalidTransition):  # another worker has it, or has taken it over
        workflow.begin(run)
        _classify(run)


def _classify(run: Run) -> None:
    level = ReadingSettings.of(run.case.laboratory).set_level
    try:
        classifier = registry.classifier_for(run.model_version)
        classifier = classifier.at(level) if level else classifier
    except (WrongWeights, CannotCalibrate) as error:
        workflow.fail(run, str(error))
        return
    images = workflow.unanswered(run)
    coming = iter(images)
    for batch in classifier.classify_batches(_content(run, image) for image in images):
        workflow.advance(
            run, [answer(image, said) for said, image in zip(batch, coming, strict=False)]
        )
    workflow.record(run)


def _content(run: Run, image: CellImage) -> bytes | UnreadableImage:
    """A stored file, or why there is none: it fails alone, by name. Touches no database."""
    try:
        return storage.open_image(run.case.laboratory_id, image.digest)
    except (storage.MissingImage, storage.DamagedImage) as error:
        return UnreadableImage(str(error))


def answer(image: CellImage, said: Prediction | UnreadableImage) -> workflow.Answer:
    """What the classifier says of an image, as the workflow keeps it."""
    if isinstance(said, UnreadableImage):
        return workflow.Answer(image.pk, failure=str(said))
    maps, features = said.activation_maps, said.features
    is_calibrated = bool(said.prediction_set)  # a version that is not knows no familiarity either
    return workflow.Answer(
        image.pk,
        probabilities=said.probabilities,
        prediction_set=tuple(cell_class.value for cell_class in said.prediction_set),
        familiarity=said.familiarity if is_calibrated else None,
        level=said.level,
        threshold=said.threshold,
        disagreement=said.disagreement,
        reasons=said.reasons,
        activation_maps=None if maps is None else activation.pack_maps(maps),
        features=None if features is None else activation.pack_features(features),
    )


@shared_task(name="cases.recover")
def recover() -> None:
    """Repair what crashes and people who have gone left, every minute."""
    workflow.recover()
    workflow.expire_idle()


@shared_task(name="cases.sweep")
def sweep() -> None:
    """Remove stored pictures that no case names, every night."""
    workflow.sweep()


@shared_task(name="cases.check_all_records")
def check_all_records() -> None:
    """Have the records of every laboratory checked, every night."""
    for laboratory in Laboratory.objects.order_by("pk"):
        queue.check_records(laboratory)


# Of very many pictures it takes long. Not asked for again while it runs, as what waits for its end
# would be after an hour: a check that died is made anew in the next night.
@shared_task(name=queue.CHECK_RECORDS, acks_late=False, time_limit=6 * 60 * 60)
def check_records(laboratory_id: int) -> None:
    """Check what one laboratory keeps, and record what was found."""
    integrity.check(Laboratory.objects.get(pk=laboratory_id))
