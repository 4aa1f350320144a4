"""Images in, predictions out: what the rest of the project knows of the network."""

from __future__ import annotations

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
    them; empty where the model is not calibrated. ``familiarity`` is the share of known cells that
    lie farther out. ``reasons`` say, in sentences, why the model does not stand by its class; where
    there are any, the image needs a human look. ``features`` is float32 (1280,), the picture as the
    last layer sees it; ``activation_maps`` float32 (5, 6, 6), for each class how much each place
    spoke for it, rows first.
    """

    probabilities: tuple[float, ...]
    model_version: str = ""
    prediction_set: tuple[CellClass, ...] = ()
    familiarity: float = 1.0
    reasons: tuple[str, ...] = ()
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
        readable = [one for one in readings if isinstance(one, Reading)]
        predictions = iter(self._predictions(readable) if readable else [])
        return [one if isinstance(one, UnreadableImage) else next(predictions) for one in readings]

    def _predictions(self, readings: list[Reading]) -> list[Prediction]:
        answers = self._network.answer(np.stack([reading.pixels for reading in readings]))
        if self.calibration is None or self.familiarity is None:
            return [
                Prediction(tuple(row), self.model_version, features=features, activation_maps=maps)
                for row, features, maps in zip(
                    softmax(answers.logits).tolist(), answers.features, answers.maps, strict=True
                )
            ]
        return [
            self._judged(
                Prediction(tuple(row), self.model_version, (), share, (), *seen),
                reading,
                self.calibration,
            )
            for reading, row, share, *seen in zip(
                readings,
                self.calibration.probabilities(answers.logits).tolist(),
                self.familiarity.shares(answers.features),
                answers.features,
                answers.maps,
                strict=True,
            )
        ]

    @staticmethod
    def _judged(bare: Prediction, reading: Reading, calibration: Calibration) -> Prediction:
        """The prediction with its set, and with every reason not to stand by its class."""
        found = calibration.prediction_set(bare.probabilities)
        reasons = [*checks.reasons(reading)]
        if not bare.familiar:
            reasons.append(
                "The picture is unlike the cells the model learnt from: "
                f"of 100 known cells {100 * bare.familiarity:.0f} lie as far out."
            )
        if not found:
            reasons.append(f"No class is likely enough at {calibration.level:.0%}.")
        if len(found) > 1:
            names = f"{', '.join(found[:-1])} or {found[-1]}"
            reasons.append(f"It may be {names}: at {calibration.level:.0%} none is ruled out.")
        return replace(bare, prediction_set=found or (bare.cell_class,), reasons=tuple(reasons))


def _read(image: Source) -> Reading | UnreadableImage:
    try:
        return read(image)
    except UnreadableImage as error:
        return error
