"""A training that can be stopped anywhere: what learns, how far it is, kept whole in two files."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from inference.labels import LABELS
from inference.network import EfficientNet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inference.recipe import Recipe

LAST, BEST = "last.safetensors", "best.safetensors"


@dataclass(slots=True)
class Progress:
    """How far a run is: epochs done and the best so far, on the validation part."""

    epochs: int = 0
    best_epoch: int = 0
    best_f1: float = -1.0
    best_loss: float = math.inf
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Learner:
    """What learns: the network, the average that follows it, and the optimizer; and how far."""

    network: EfficientNet
    average: EfficientNet
    optimizer: torch.optim.AdamW
    progress: Progress


def _save(path: Path, tensors: Mapping[str, Tensor], noted: dict[str, str]) -> None:
    """Write a file whole or not at all."""
    coming = path.with_suffix(".part")
    plain = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    safetensors.torch.save_file(plain, coming, metadata=noted)
    coming.replace(path)


def save_best(recipe: Recipe, learner: Learner) -> None:
    norms = (m for m in learner.average.modules() if isinstance(m, nn.BatchNorm2d))
    noted = {"norm_eps": str(next(norms).eps), "labels": json.dumps(LABELS)}
    _save(recipe.out / BEST, learner.average.state_dict(), noted)


def save_last(recipe: Recipe, learner: Learner) -> None:
    """Everything needed to go on, in one file: both networks and the optimizer's moments."""
    tensors = {f"network.{key}": value for key, value in learner.network.state_dict().items()}
    tensors |= {f"average.{key}": value for key, value in learner.average.state_dict().items()}
    for i, moments in learner.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{key}": value for key, value in moments.items()}
    _save(recipe.out / LAST, tensors, {"progress": json.dumps(asdict(learner.progress))})


def restore(recipe: Recipe, learner: Learner) -> None:
    """Put a run back to where ``_save_last`` left it."""
    with safetensors.safe_open(recipe.out / LAST, framework="pt") as file:
        progress = json.loads(file.metadata()["progress"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 -- no dict

    def under(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    learner.network.load_state_dict(under("network."), strict=True)
    learner.average.load_state_dict(under("average."), strict=True)
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in under("optimizer.").items():
        position, name = key.split(".")
        state.setdefault(int(position), {})[name] = value
    learner.optimizer.load_state_dict(learner.optimizer.state_dict() | {"state": state})
    for name, value in progress.items():
        setattr(learner.progress, name, value)
