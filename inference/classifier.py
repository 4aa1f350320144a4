"""Images in, predictions out: what the rest of the project knows of the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from inference.labels import LABELS, CellClass
from inference.preprocess import UnreadableImage, preprocess
from inference.runtime import BATCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from inference.preprocess import Source
    from inference.runtime import Network


@dataclass(frozen=True, slots=True)
class Prediction:
    """The network's answer for one image: a probability for each ``CellClass``, in its order.

    ``features`` is float32 (1280,), the picture as the last layer sees it; ``activation_maps``
    float32 (5, 7, 7), for each class how much each place spoke for it, rows first.
    ``prediction_set`` holds the classes the cell may be of, by falling probability;
    ``familiarity`` is the share of the known cells that lie farther out; ``reasons`` say in
    sentences why the model abstains, and are empty where it stands by its class.
    """

    probabilities: tuple[float, ...]
    model_version: str = ""
    features: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    activation_maps: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    prediction_set: tuple[CellClass, ...] = ()
    familiarity: float | None = None
    reasons: tuple[str, ...] = ()

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
    def by_name(self) -> dict[str, float]:
        """The probabilities by class name."""
        return dict(zip(LABELS, self.probabilities, strict=True))


class Classifier:
    """A network with its name: ``classify`` is all that callers need."""

    def __init__(self, network: Network, model_version: str) -> None:
        self.model_version = model_version
        self._network = network

    def classify(self, images: Sequence[Source]) -> list[Prediction | UnreadableImage]:
        """An outcome for each image, in order: a prediction, or why it could not be read.

        An image is the bytes of a file, a path, or an opened Pillow image.
        """
        return [outcome for batch in self.classify_batches(images) for outcome in batch]

    def classify_batches(
        self, images: Iterable[Source]
    ) -> Iterator[list[Prediction | UnreadableImage]]:
        """The outcomes of ``classify``, eight images at a time, each batch as soon as it is known.

        ``images`` is taken as it is needed, so that thousands never lie in memory together.
        """
        coming = iter(images)
        while batch := list(islice(coming, BATCH)):
            yield self._classify_batch(batch)

    def _classify_batch(self, images: list[Source]) -> list[Prediction | UnreadableImage]:
        readings = [_read(image) for image in images]
        readable = [one for one in readings if not isinstance(one, UnreadableImage)]
        predictions = iter(self._predictions(np.stack(readable)) if readable else [])
        return [one if isinstance(one, UnreadableImage) else next(predictions) for one in readings]

    def _predictions(self, pixels: NDArray[np.uint8]) -> list[Prediction]:
        answers = self._network.answer(pixels)
        return [
            Prediction(tuple(row), self.model_version, features, maps)
            for row, features, maps in zip(
                _softmax(answers.logits).tolist(), answers.features, answers.maps, strict=True
            )
        ]


def _read(image: Source) -> NDArray[np.uint8] | UnreadableImage:
    try:
        return preprocess(image)
    except UnreadableImage as error:
        return error


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Logits (N, 5) to probabilities, each row with the sum 1."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = shifted / shifted.sum(axis=1, keepdims=True)
    return shares
