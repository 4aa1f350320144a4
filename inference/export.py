"""From a finished training run to a model folder that serves without PyTorch.

The graph is written without its numbers: every weight in it is a pointer, by offset and length,
into ``weights.safetensors``, so that there is one copy of them and one digest to check.
"""

from __future__ import annotations

import json
import struct
import warnings
from io import BytesIO
from typing import TYPE_CHECKING, Any

import onnx
import torch
from onnx.external_data_helper import set_external_data

from inference import weights
from inference.labels import LABELS
from inference.manifest import GRAPH, WEIGHTS, Manifest
from inference.network import EfficientNet, ServedNetwork
from inference.preprocess import SIDE
from inference.reference import load

if TYPE_CHECKING:
    from pathlib import Path


OPSET = 17
_LENGTH = struct.Struct("<Q")  # a safetensors file opens with the length of its header


class CannotExport(Exception):
    """A run that cannot become a model; its text is a sentence for people."""


def export(run: Path, folder: Path) -> Manifest:
    """Make a model folder, named as the folder, of the best checkpoint of a finished run.

    Raises:
        CannotExport: the run is not finished, or the folder is taken.

    """
    try:
        metrics = json.loads((run / "metrics.json").read_text())
        content = (run / "best.safetensors").read_bytes()
    except OSError as error:
        raise CannotExport(f"{run} holds no finished training run.") from error
    if folder.exists():
        raise CannotExport(f"{folder} exists already.")
    network = load(run / "best.safetensors", weights.digest(content))
    graph = _pointing(_graph(network), content).SerializeToString(deterministic=True)
    manifest = Manifest(
        name=folder.name,
        files={WEIGHTS: weights.digest(content), GRAPH: weights.digest(graph)},
        labels=list(LABELS),
        preprocessing_version=metrics["preprocessing_version"],
        recipe=metrics["recipe"],
        split_digest=metrics["split_digest"],
        cells=metrics["cells"],
        figures=metrics["figures"],
    )
    coming = folder.with_name(f".{folder.name}")  # seen by no one until it is whole
    coming.mkdir(parents=True, exist_ok=True)
    (coming / WEIGHTS).write_bytes(content)
    (coming / GRAPH).write_bytes(graph)
    manifest.write(coming)
    coming.rename(folder)
    return manifest


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
