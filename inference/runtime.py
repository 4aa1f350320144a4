"""The fast forward pass: ONNX Runtime on the CPU; logits, features and maps in one go."""

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
from inference.manifest import GRAPH, WEIGHTS
from inference.weights import WrongWeights

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.manifest import Manifest

BATCH = 8  # larger is no faster, and the runtime's arena grows with it: 4.1 GB at 128
_ERRORS_ONLY = 3


@dataclass(frozen=True, slots=True)
class Answers:
    """What the network says of N pictures, float32.

    ``logits`` (N, 5); ``features`` (N, 1280), the last layer before the head; ``maps`` (N, 5, 6,
    6), for each class how much each place of the picture spoke for it, in units of its logit.
    """

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    maps: NDArray[np.float32]


class Network(Protocol):
    """A network that answers uint8 pixels (N, 192, 192, 3)."""

    def answer(self, pixels: NDArray[np.uint8]) -> Answers: ...


class OnnxNetwork:
    """A model folder in ONNX Runtime, its files checked before they are used."""

    def __init__(self, folder: Path, manifest: Manifest, *, threads: int = 1) -> None:
        """Load a model to answer on so many threads; a process a core with one each is best.

        Raises:
            WrongWeights: a file is not the one the manifest names.

        """
        weights.read(folder / WEIGHTS, manifest.files[WEIGHTS])
        weights.read(folder / GRAPH, manifest.files[GRAPH])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / GRAPH), options, providers=["CPUExecutionProvider"]
            )
        except (Fail, InvalidGraph, InvalidProtobuf) as error:
            raise WrongWeights(f"{manifest.name} cannot be loaded: {error}") from error

    def answer(self, pixels: NDArray[np.uint8]) -> Answers:
        """Answer any number of pictures, eight at a time."""
        if len(pixels) == 0:
            raise ValueError("no pictures to answer")
        outputs = [
            self._session.run(["logits", "features", "maps"], {"pixels": pixels[i : i + BATCH]})
            for i in range(0, len(pixels), BATCH)
        ]
        logits, features, maps = (np.concatenate(each) for each in zip(*outputs, strict=True))
        return Answers(logits, features, maps)
