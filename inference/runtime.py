"""The fast forward pass: ONNX Runtime on the CPU; logits, features and maps in one go.

A model folder may hold several networks, which then answer as one: see ``Ensemble``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from onnxruntime.capi.onnxruntime_pybind11_state import (  # type: ignore[import-untyped]
    Fail,
    InvalidGraph,
    InvalidProtobuf,
)

from inference import weights
from inference.calibration import softmax
from inference.manifest import GRAPH, WEIGHTS
from inference.preprocess import SIDE
from inference.weights import WrongWeights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.manifest import Manifest

BATCH = 8  # larger is no faster, and the runtime's arena grows with it: 4.1 GB at 128
_ERRORS_ONLY = 3


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network says of N pictures, float32.

    ``logits`` (N, 5); ``features`` (N, 1280), the last layer before the head; ``maps`` (N, 5, 6,
    6), for each class how much each place of the picture spoke for it, in units of its logit. Of an
    ensemble, ``members`` (M, N, 5) are the probabilities that each of its networks gave.
    """

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    maps: NDArray[np.float32]
    members: NDArray[np.float64] | None = None


class Network(Protocol):
    """A network that answers uint8 pixels (N, 192, 192, 3)."""

    def answer(self, pixels: NDArray[np.uint8]) -> Answers: ...


def load(folder: Path, manifest: Manifest, *, threads: int = 1, batch: int = BATCH) -> Network:
    """The network of a model folder, or its ensemble.

    It has answered a full batch of black pictures: memory is taken, and the first case is no slower
    than the next.

    Raises:
        WrongWeights: a file is not the one the manifest names.

    """
    networks = [
        OnnxNetwork(folder, manifest, one, threads=threads, batch=batch) for one in manifest.members
    ]
    network = networks[0] if len(networks) == 1 else Ensemble(networks)
    network.answer(np.zeros((batch, SIDE, SIDE, 3), dtype=np.uint8))
    return network


class OnnxNetwork:
    """A network of a model folder in ONNX Runtime, its files checked before they are used."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        member: str = "",
        *,
        threads: int = 1,
        batch: int = BATCH,
    ) -> None:
        """Load a network to answer on so many threads; a process a core with one each is best.

        Raises:
            WrongWeights: a file is not the one the manifest names.

        """
        for name in (member + WEIGHTS, member + GRAPH):
            weights.read(folder / name, manifest.files[name], name=name)
        self._batch = batch
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / (member + GRAPH)), options, providers=["CPUExecutionProvider"]
            )
        except (Fail, InvalidGraph, InvalidProtobuf) as error:
            raise WrongWeights(f"{manifest.name} cannot be loaded: {error}") from error

    def answer(self, pixels: NDArray[np.uint8]) -> Answers:
        """Answer any number of pictures, a batch at a time."""
        if len(pixels) == 0:
            raise ValueError("no pictures to answer")
        size, names = self._batch, ["logits", "features", "maps"]
        outputs = [
            self._session.run(names, {"pixels": pixels[i : i + size]})
            for i in range(0, len(pixels), size)
        ]
        logits, features, maps = (np.concatenate(each) for each in zip(*outputs, strict=True))
        return Answers(logits, features, maps)


class Ensemble:
    """Several networks that answer as one: the mean of their probabilities.

    Lakshminarayanan, Pritzel and Blundell, "Simple and Scalable Predictive Uncertainty Estimation
    using Deep Ensembles", NeurIPS 2017, arXiv 1612.01474. The logits are logarithms of that mean,
    so that a temperature works on it as on a network's own. Features and maps are those of the
    first network: another's are in another space, and their mean would be in none.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self.networks = tuple(networks)

    def answer(self, pixels: NDArray[np.uint8]) -> Answers:
        """Ask every network, one after the other."""
        answers = [network.answer(pixels) for network in self.networks]
        members = np.stack([softmax(one.logits) for one in answers])
        mean = np.maximum(members.mean(axis=0), np.finfo(np.float32).tiny)
        return Answers(
            np.log(mean).astype(np.float32), answers[0].features, answers[0].maps, members
        )
