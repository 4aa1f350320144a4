"""What workers and the clock call: find the row, ask the classifier, call a verb."""

from contextlib import suppress

from celery import shared_task

from cases import activation, queue, storage, workflow
from cases.models import CellImage, Run
from inference import registry
from inference.classifier import Classifier, Prediction
from inference.preprocess import UnreadableImage
from inference.runtime import BATCH
from inference.weights import WrongWeights


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
    for image, outcome in zip(readable, classifier.classify(contents), strict=True):
        if isinstance(outcome, UnreadableImage):
            answers.append(workflow.Answer(image.pk, failure=str(outcome)))
        else:
            answers.append(answer(image, outcome))
    return answers


def answer(image: CellImage, said: Prediction) -> workflow.Answer:
    """What the classifier says of an image, as the workflow keeps it."""
    maps, features = said.activation_maps, said.features
    is_calibrated = bool(said.prediction_set)  # a version that is not knows no familiarity either
    return workflow.Answer(
        image.pk,
        probabilities=said.probabilities,
        prediction_set=tuple(cell_class.value for cell_class in said.prediction_set),
        familiarity=said.familiarity if is_calibrated else None,
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
