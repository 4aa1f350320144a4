"""Images in, predictions out: what the rest of the project knows of the network."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from inference import checks
from inference.calibration import softmax
from inference.familiarity import UNFAMILIAR
from inference.labels import LABELS, CellClass
from inference.preprocess import Reading, UnreadableImage, read
from inference.runtime import BATCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from inference.calibration import Calibration
    from inference.familiarity import Familiarity
    from inference.preprocess import Source
    from inference.runtime import Network


@dataclass(frozen=True, slots=True)
class Prediction:
    """The network's answer for one image: a probability for each ``CellClass``, in its order.

    ``prediction_set`` are the classes it may be, by falling probability, the likeliest always among
    them; empty where the model is not calibrated. ``level`` and ``threshold`` are those of the set.
    ``familiarity`` is the share of known cells that lie farther out; a blank picture has none.
    ``disagreement`` is how far an ensemble's networks lie from their mean: the probability that the
    average one would move to other classes; None where one network answered; ``named`` is what each
    of them would call it. ``reasons`` say, in sentences, why the model does not stand by its class;
    where there are any, the image needs a human look. ``features`` is float32 (1280,), the picture
    as the last layer sees it; ``activation_maps`` float32 (5, 6, 6), for each class how much each
    place spoke for it, rows first. Both are of an ensemble's first.
    """

    probabilities: tuple[float, ...]
    model_version: str = ""
    prediction_set: tuple[CellClass, ...] = ()
    familiarity: float = 1.0
    reasons: tuple[str, ...] = ()
    level: float | None = None
    threshold: float | None = None
    disagreement: float | None = None
    named: tuple[CellClass, ...] = ()
    features: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    activation_maps: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    @property
    def cell_class(self) -> CellClass:
        """The most probable class."""
        return CellClass(LABELS[self.probabilities.index(max(self.probabilities))])

    @property
    def confidence(self) -> float:
        """The probability of the most probable class."""
        return max(self.probabilities)

    @property
    def abnormality(self) -> float:
        """The probability that the cell is of one of the abnormal classes."""
        pairs = zip(CellClass, self.probabilities, strict=True)
        return sum(probability for cell_class, probability in pairs if cell_class.is_abnormal)

    @property
    def familiar(self) -> bool:
        """Whether it looks like the cells the model was trained on."""
        return self.familiarity >= UNFAMILIAR

    @property
    def abstained(self) -> bool:
        """Whether the model does not stand by its class."""
        return bool(self.reasons)

    @property
    def by_name(self) -> dict[str, float]:
        """The probabilities by class name."""
        return dict(zip(LABELS, self.probabilities, strict=True))


class Classifier:
    """A network with its name and what was calibrated: ``classify`` is all that callers need.

    Without calibration and familiarity it answers bare probabilities and never abstains.
    """

    def __init__(
        self,
        network: Network,
        model_version: str,
        calibration: Calibration | None = None,
        familiarity: Familiarity | None = None,
    ) -> None:
        self.model_version = model_version
        self.calibration = calibration
        self._network = network
        self.familiarity = familiarity

    def at(self, level: float) -> Classifier:
        """The same classifier with prediction sets at another level; one that makes none stays.

        Raises:
            CannotCalibrate: it knows no sets at that level.

        """
        if self.calibration is None:
            return self
        calibration = self.calibration.at(level)
        return Classifier(self._network, self.model_version, calibration, self.familiarity)

    def classify(self, images: Sequence[Source]) -> list[Prediction | UnreadableImage]:
        """An outcome for each image, in order: a prediction, or why it could not be read.

        An image is the bytes of a file, a path, or an opened Pillow image.
        """
        return [outcome for batch in self.classify_batches(images) for outcome in batch]

    def classify_batches(
        self, images: Iterable[Source | UnreadableImage]
    ) -> Iterator[list[Prediction | UnreadableImage]]:
        """The outcomes of ``classify``, eight images at a time, each batch as soon as it is known.

        ``images`` is taken as it is needed, so that thousands never lie in memory together: by a
        thread of its own, which opens the next batch while the network answers the one before. An
        image known to be unreadable keeps its place.
        """
        coming = iter(images)
        with ThreadPoolExecutor(1, thread_name_prefix="reader") as reader:
            ahead = reader.submit(_next_readings, coming)
            while readings := ahead.result():
                ahead = reader.submit(_next_readings, coming)
                yield self.answer(readings)

    def answer(
        self, readings: Sequence[Reading | UnreadableImage]
    ) -> list[Prediction | UnreadableImage]:
        """The outcomes of pictures that were read, in order."""
        readable = [one for one in readings if isinstance(one, Reading)]
        predictions = iter(self._predictions(readable) if readable else [])
        return [one if isinstance(one, UnreadableImage) else next(predictions) for one in readings]

    def _predictions(self, readings: list[Reading]) -> list[Prediction]:
        answers = self._network.answer(np.stack([reading.pixels for reading in readings]))
        calibration, known = self.calibration, self.familiarity
        shares = calibration.probabilities if calibration else softmax
        bare = [
            Prediction(tuple(row), self.model_version, features=features, activation_maps=maps)
            for row, features, maps in zip(
                shares(answers.logits).tolist(), answers.features, answers.maps, strict=True
            )
        ]
        if answers.members is not None:
            bare = _apart(bare, answers.members)
        if calibration is None or known is None:
            return bare
        return [
            _judged(replace(one, familiarity=share), reading, calibration)
            for one, share, reading in zip(
                bare, known.shares(answers.features), readings, strict=True
            )
        ]


def _apart(predictions: list[Prediction], members: NDArray[np.float64]) -> list[Prediction]:
    """Predictions of an ensemble, with what its networks (M, N, 5) said each."""
    distances = np.abs(members - members.mean(axis=0)).sum(axis=2).mean(axis=0) / 2
    return [
        replace(
            one,
            disagreement=float(distance),
            named=tuple(CellClass(LABELS[place]) for place in called),
        )
        for one, distance, called in zip(
            predictions, distances, members.argmax(axis=2).T.tolist(), strict=True
        )
    ]


def _judged(bare: Prediction, reading: Reading, calibration: Calibration) -> Prediction:
    """The prediction with its set, and with every reason not to stand by its class."""
    found = calibration.prediction_set(bare.probabilities)
    reasons = [*checks.reasons(reading)]
    if checks.BLANK in reasons:  # features of nothing may lie anywhere
        bare = replace(bare, familiarity=0.0)
    elif not bare.familiar:
        reasons.append(
            "The picture is unlike the cells the model learnt from: "
            f"of 100 known cells {100 * bare.familiarity:.0f} lie as far out."
        )
    if len(set(bare.named)) > 1:
        counted = Counter(bare.named).most_common()
        said = ", ".join(f"{count} {cell_class}" for cell_class, count in counted)
        reasons.append(f"The model's networks disagree: {said}.")
    if not found:
        reasons.append(f"No class is likely enough at {calibration.level:.0%}.")
    if len(found) > 1:
        names = f"{', '.join(found[:-1])} or {found[-1]}"
        reasons.append(f"It may be {names}: at {calibration.level:.0%} none is ruled out.")
    return replace(
        bare,
        prediction_set=found or (bare.cell_class,),
        reasons=tuple(reasons),
        level=calibration.level,
        threshold=calibration.threshold,
    )


def _read(image: Source | UnreadableImage) -> Reading | UnreadableImage:
    if isinstance(image, UnreadableImage):
        return image
    try:
        return read(image)
    except UnreadableImage as error:
        return error


def _next_readings(
    coming: Iterator[Source | UnreadableImage],
) -> list[Reading | UnreadableImage]:
    return [_read(image) for image in islice(coming, BATCH)]
