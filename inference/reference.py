"""The same forward pass in PyTorch: the reference for tests, and for GPUs. Serving never needs it.

Imports PyTorch; nothing that serves imports this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import safetensors
import safetensors.torch
import torch

from inference import weights
from inference.manifest import WEIGHTS
from inference.network import EfficientNet, ServedNetwork, build
from inference.runtime import BATCH, Answers
from inference.weights import WrongWeights

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.manifest import Manifest


def load(path: Path, digest: str) -> EfficientNet:
    """The network with the weights of a file, ready to answer.

    Raises:
        WrongWeights: the file has another digest, or holds another network.

    """
    content = weights.read(path, digest)
    try:
        tensors = safetensors.torch.load(content)
        with safetensors.safe_open(path, framework="pt") as file:
            network = build(norm_eps=float(file.metadata()["norm_eps"]))
        network.load_state_dict(tensors, strict=True)
    except (safetensors.SafetensorError, RuntimeError, KeyError, TypeError) as error:
        raise WrongWeights(f"{path.name} does not hold weights of this network.") from error
    return network.eval()


class TorchNetwork:
    """A network of a model folder in PyTorch, on the GPU where there is one."""

    def __init__(self, folder: Path, manifest: Manifest, member: str = "") -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network = load(folder / (member + WEIGHTS), manifest.files[member + WEIGHTS])
        network.to(self._device, memory_format=torch.channels_last)
        self._network = ServedNetwork(network)

    def answer(self, pixels: NDArray[np.uint8]) -> Answers:
        """Answer any number of pictures, eight at a time."""
        outputs = []
        with torch.inference_mode():
            for i in range(0, len(pixels), BATCH):
                batch = torch.from_numpy(pixels[i : i + BATCH]).to(self._device)
                outputs.append([each.cpu().numpy() for each in self._network(batch)])
        logits, features, maps = (np.concatenate(each) for each in zip(*outputs, strict=True))
        return Answers(logits, features, maps)
