"""What workers and the clock call: find the row, ask the classifier, call a verb."""

from contextlib import suppress

from celery import shared_task

from cases import queue, storage, workflow
from cases.models import CellImage, Run
from inference import registry
from inference.classifier import Classifier
from inference.preprocess import UnreadableImage
from inference.weights import WrongWeights

BATCH = 8  # larger ones take much more memory and show their progress later


@shared_task(name=queue.CLASSIFY_RUN)
def classify_run(run_id: str) -> None:
    """Classify every image of one run. Delivered twice, it does the work once."""
    run = Run.objects.select_related("case", "model_version").get(pk=run_id)
    with suppress(workflow.InvalidTransition):  # another worker has it, or has taken it over
        workflow.begin(run)
        _classify(run)


def _classify(run: Run) -> None:
    try:
        classifier = registry.classifier_for(run.model_version)
    except WrongWeights as error:
        workflow.fail(run, str(error))
        return
    images = workflow.unanswered(run)
    for start in range(0, len(images), BATCH):
        workflow.advance(run, _answers(classifier, images[start : start + BATCH], run))
    workflow.record(run)


def _answers(classifier: Classifier, images: list[CellImage], run: Run) -> list[workflow.Answer]:
    """An answer for each image; a file that cannot be read fails alone, by name."""
    contents: list[bytes] = []
    readable: list[CellImage] = []
    answers: list[workflow.Answer] = []
    for image in images:
        try:
            contents.append(storage.open_image(run.case.laboratory_id, image.digest))
            readable.append(image)
        except (storage.MissingImage, storage.DamagedImage) as error:
            answers.append(workflow.Answer(image.pk, failure=str(error)))
    for image, answer in zip(readable, classifier.classify(contents), strict=True):
        if isinstance(answer, UnreadableImage):
            answers.append(workflow.Answer(image.pk, failure=str(answer)))
        else:
            answers.append(workflow.Answer(image.pk, probabilities=answer.probabilities))
    return answers


@shared_task(name="cases.recover")
def recover() -> None:
    """Repair what crashes left, every minute."""
    workflow.recover()


@shared_task(name="cases.sweep")
def sweep() -> None:
    """Remove stored pictures that no case names, every night."""
    workflow.sweep()
