"""Whether activation maps depend on what the network learnt, by making it forget.

Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, arXiv 1810.03292: from the head
down, one block after the other, the learnt numbers are put in random order, and the maps compared
with those before by rank correlation. Maps that stay as they were show the picture, not the
network. Maps turned round (a correlation far below 0) show the picture too: they still follow where
the last layer is active at all, and a head in random order weighs that negatively on average. So
the size of the correlation is told beside it. Imports PyTorch; a measurement, no part of serving.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from inference import reference
from inference.labels import LABELS
from inference.manifest import WEIGHTS
from inference.network import ServedNetwork
from inference.runtime import BATCH

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.manifest import Manifest
    from inference.network import EfficientNet


def cascade(
    folder: Path, described: Manifest, pixels: NDArray[np.uint8], *, seed: int = 1
) -> dict[str, object]:
    """The mean rank correlation of maps with those of the whole network, block by block.

    The maps are those of the class that the whole network calls each picture (N, 192, 192, 3).
    """
    network = reference.load(folder / WEIGHTS, described.files[WEIGHTS])
    served = ServedNetwork(network.to(torch.device("cpu"), memory_format=torch.channels_last))
    chance = torch.Generator().manual_seed(seed)
    logits, whole = _answered(served, pixels)
    called = logits.argmax(axis=1)
    cells = np.arange(len(pixels))
    steps, rows = [], []
    for name, block in _from_the_head(network):
        _forget(block, chance)
        maps = _answered(served, pixels)[1]
        steps.append(name)
        rows.append([rank_correlation(whole[i, called[i]], maps[i, called[i]]) for i in cells])
    correlations = np.array(rows)
    return {
        "cells": len(pixels),
        "steps": steps,
        "correlation": correlations.mean(axis=1).tolist(),
        "size": np.abs(correlations).mean(axis=1).tolist(),
        "per_class": {
            label: correlations[:, called == place].mean(axis=1).tolist()
            for place, label in enumerate(LABELS)
            if (called == place).any()
        },
    }


def rank_correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Spearman's, of the places of two maps: 1 where they have the same order; 0 for a flat map."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    ranks = [one.ravel().argsort(kind="stable").argsort() for one in (first, second)]
    one, other = (each - each.mean() for each in ranks)
    return float((one * other).mean() / (one.std() * other.std()))


def _from_the_head(network: EfficientNet) -> list[tuple[str, torch.nn.Module]]:
    blocks = [(f"block {i}", block) for i, block in enumerate(network.features)]
    return [("head", network.classifier), *reversed(blocks)]


def _forget(block: torch.nn.Module, chance: torch.Generator) -> None:
    """Put the numbers of each tensor in random order, so that their sizes stay as they were."""
    with torch.no_grad():
        for tensor in block.state_dict().values():
            if tensor.is_floating_point():
                order = torch.randperm(tensor.numel(), generator=chance)
                tensor.copy_(tensor.flatten()[order].view_as(tensor))


def _answered(
    served: ServedNetwork, pixels: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits and maps."""
    logits, maps = [], []
    with torch.inference_mode():
        for i in range(0, len(pixels), BATCH):
            said, _, seen = served(torch.from_numpy(pixels[i : i + BATCH]))
            logits.append(said.numpy())
            maps.append(seen.numpy())
    return np.concatenate(logits), np.concatenate(maps)
