"""From a finished training run to a model folder that serves without PyTorch.

The graph is written without its numbers: every weight in it is a pointer, by offset and length,
into ``weights.safetensors``, so that there is one copy of them and one digest to check.
"""

from __future__ import annotations

import json
import struct
import warnings
from dataclasses import asdict
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from onnx.external_data_helper import set_external_data

from inference import weights
from inference.answered import Answered
from inference.calibration import softmax
from inference.evaluate import Figures
from inference.labels import LABELS
from inference.manifest import GRAPH, WEIGHTS, Manifest, member
from inference.network import EfficientNet, ServedNetwork
from inference.preprocess import SIDE
from inference.reference import load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


OPSET = 17
_LENGTH = struct.Struct("<Q")  # a safetensors file opens with the length of its header


class CannotExport(Exception):
    """A run that cannot become a model; its text is a sentence for people."""


def export(run: Path, folder: Path, *others: Path) -> Manifest:
    """Make a model folder, named as the folder, of the best checkpoint of a finished run.

    With other runs it becomes an ensemble, and its figures are those of all of them together.

    Raises:
        CannotExport: a run is not finished, the folder is taken, or runs do not go together.

    """
    runs = [run, *others]
    metrics = [_metrics(one) for one in runs]
    for name in ("split_digest", "preprocessing_version"):
        for one, known in zip(others, metrics[1:], strict=True):
            if known[name] != metrics[0][name]:
                raise CannotExport(f"{one} and {run} do not go together: they differ in {name}.")
    if folder.exists():
        raise CannotExport(f"{folder} exists already.")
    files = {
        place + name: content
        for number, one in enumerate(runs, start=1)
        for place in (member(number),)
        for name, content in _network_files(one).items()
    }
    if len({files[name] for name in files if name.endswith(WEIGHTS)}) < len(runs):
        raise CannotExport("Two of the runs ended with the same network.")
    manifest = Manifest(
        name=folder.name,
        files={name: weights.digest(content) for name, content in files.items()},
        labels=list(LABELS),
        preprocessing_version=metrics[0]["preprocessing_version"],
        recipe=metrics[0]["recipe"],
        split_digest=metrics[0]["split_digest"],
        cells=metrics[0]["cells"],
        figures=_figures_together(runs) if others else metrics[0]["figures"],
        others=[one["recipe"] for one in metrics[1:]],
    )
    coming = folder.with_name(f".{folder.name}")  # seen by no one until it is whole
    for name, content in files.items():
        (coming / name).parent.mkdir(parents=True, exist_ok=True)
        (coming / name).write_bytes(content)
    manifest.write(coming)
    coming.rename(folder)
    return manifest


def _metrics(run: Path) -> dict[str, Any]:
    try:
        metrics: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    except OSError as error:
        raise CannotExport(f"{run} holds no finished training run.") from error
    return metrics


def _network_files(run: Path) -> dict[str, bytes]:
    """A network as the two files that serve it."""
    try:
        content = (run / "best.safetensors").read_bytes()
    except OSError as error:
        raise CannotExport(f"{run} holds no finished training run.") from error
    network = load(run / "best.safetensors", weights.digest(content))
    graph = _pointing(_graph(network), content).SerializeToString(deterministic=True)
    return {WEIGHTS: content, GRAPH: graph}


def _figures_together(runs: Sequence[Path]) -> dict[str, dict[str, object]]:
    """The figures of the mean probabilities on the test part; none where there is no such part."""
    if not all((run / "answers.npz").exists() for run in runs):
        return {}
    answers = [Answered.read(run / "answers.npz") for run in runs]
    if any(one.files != answers[0].files for one in answers):
        raise CannotExport("The runs were asked about different cells.")
    mean = np.mean([softmax(one.logits) for one in answers], axis=0)
    figures = Figures.of(answers[0].truth.tolist(), mean.argmax(axis=1).tolist())
    return {"test": asdict(figures)}


def _graph(network: EfficientNet) -> onnx.ModelProto:
    """The served network as ONNX, its weights as they are in the state dict.

    The runtime fuses convolution and BatchNorm when it loads the graph; fused at export, the
    numbers would no longer be those of the weights file.
    """
    target = BytesIO()
    example = torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        # the newer exporter needs another package and renames the weights
        warnings.simplefilter("ignore", DeprecationWarning)
        # mean and deviation are constants of the graph, as they should be
        warnings.filterwarnings("ignore", "torch.tensor results are registered as constants")
        torch.onnx.export(
            ServedNetwork(network).eval(),
            (example,),
            target,  # type: ignore[arg-type] # a buffer too, says the documentation
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=["logits", "features", "maps"],
            dynamic_axes={name: {0: "n"} for name in ("pixels", "logits", "features", "maps")},
        )
    return onnx.load_from_string(target.getvalue())


def _pointing(graph: onnx.ModelProto, content: bytes) -> onnx.ModelProto:
    """The graph with each weight replaced by its place in the weights file."""
    places, start = _places(content)
    for tensor in graph.graph.initializer:
        place = places.get(tensor.name.removeprefix("network."))
        if place is None:
            continue
        begin, end = (start + offset for offset in place["data_offsets"])
        if tensor.raw_data != content[begin:end]:
            raise CannotExport(f"{tensor.name} is not in the graph as it is in the weights.")
        set_external_data(tensor, location=WEIGHTS, offset=begin, length=end - begin)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
    return graph


def _places(content: bytes) -> tuple[dict[str, Any], int]:
    """Where each tensor lies in a safetensors file, counted from where the numbers start."""
    (length,) = _LENGTH.unpack_from(content)
    start = _LENGTH.size + length
    return json.loads(content[_LENGTH.size : start]), start
