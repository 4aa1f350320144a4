"""The training loop, top to bottom: data, start, epochs, the best checkpoint, its figures.

What it does, in order: split, by group unless told otherwise; read every picture once with the
serving preprocessing; fine-tune the network on varied pictures, an average of the weights following
(EMA); where there is a validation part, judge the average on it after each epoch, as it would
serve, keep the best by macro-F1 and stop when that is long past; at the end judge the one kept,
once, on the test part. A split without a validation part keeps the last epoch: its recipe was
chosen before.

A run lives in a folder: ``recipe.json``, ``split.csv``, ``history.jsonl`` (a line an epoch),
``last.safetensors`` (everything needed to go on), ``best.safetensors`` and, when it is finished,
``metrics.json`` and ``answers.npz``, what the network said of the test part. All randomness is
drawn anew from the seed at each epoch, so a run that was stopped and resumed ends with the same
weights as one that was not (on one machine, on the CPU).
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot
from tqdm import tqdm

from inference import dataset, splits
from inference.answered import Answered
from inference.augment import augment, mixed
from inference.checkpoint import BEST, LAST, Learner, Progress, restore, save_best, save_last
from inference.evaluate import Figures
from inference.labels import CellClass
from inference.network import IMAGENET_EPS, EfficientNet, build, imagenet_weights, normalise
from inference.preprocess import PREPROCESSING_VERSION, SIDE, UnreadableImage, preprocess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from inference.dataset import Cell
    from inference.recipe import Recipe
    from inference.splits import Part

WEIGHT_DECAY = 0.02  # of kernels, not of biases and BatchNorm
AVERAGE = 0.995  # share of the average kept at a step: it remembers some 200 steps
WARM_UP = 0.06  # share of the training over which the learning rate rises
LAST_RATE = 0.01  # share of the learning rate left at the end
CALIBRATION = 512  # training pictures from which BatchNorm statistics are estimated
EVALUATION_BATCH = 64
METRICS, ANSWERS = "metrics.json", "answers.npz"


class CannotTrain(Exception):
    """Training that cannot begin or go on; its text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the validation part says after an epoch: figures, and the mean cross-entropy."""

    figures: Figures
    loss: float


@dataclass(frozen=True, slots=True)
class Pictures:
    """The cells of a part as the network sees them: uint8 (N, 192, 192, 3) and their classes."""

    pixels: Tensor
    truth: Tensor


def train(
    recipe: Recipe, *, resume: bool = False, say: Callable[[str], None] = print
) -> dict[Part, Figures]:
    """Train to the end; returns the figures of what is kept, on the parts it did not learn from.

    Raises:
        CannotTrain: the folder holds another run, the start cannot be read, or the loss is lost.
        WrongData: the data folder does not hold what it should.

    """
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    parts = _prepare(recipe, resume=resume)
    for part, cells in parts.items():
        say(f"{part}: {len(cells)} cells in {len({cell.group for cell in cells})} groups")
    pictures = {part: _pictures(recipe.data, cells) for part, cells in parts.items()}

    learner = _learner(recipe, device)
    progress = learner.progress
    if resume and (recipe.out / LAST).exists():
        restore(recipe, learner)
        say(f"going on after epoch {progress.epochs}")
    elif recipe.init != "scratch":
        _reestimate(learner.network, pictures["train"], recipe)

    bar = _bar(recipe, len(parts["train"]), progress.epochs)
    while progress.epochs < recipe.epochs and not _past(recipe, progress):
        began = time.monotonic()
        lesson = _epoch(recipe, learner, pictures["train"], bar)
        judged = _judged_after(recipe, learner, pictures)
        progress.epochs += 1
        progress.seconds += time.monotonic() - began
        if _better(judged, progress):
            save_best(recipe, learner)
        _record(recipe, progress, lesson, judged)
        save_last(recipe, learner)
        bar.write(_told(recipe, progress, lesson, judged))
    bar.close()
    figures = _finished(recipe, learner, parts, pictures)
    if "validation" in figures:
        say(
            f"\nEpoch {progress.best_epoch} was best: macro-F1 "
            f"{figures['validation'].macro_f1:.2%} on the validation part."
        )
    if "test" in figures:
        say(f"On the test part, {recipe.split}:\n\n{figures['test']}")
    return figures


# Before the first epoch


def _prepare(recipe: Recipe, *, resume: bool) -> dict[Part, list[Cell]]:
    """Make or find the run's folder, its recipe and its split."""
    split, noted = recipe.out / "split.csv", recipe.out / "recipe.json"
    if resume and split.exists() and noted.exists():
        if json.loads(noted.read_text()) != recipe.described():
            raise CannotTrain(f"{recipe.out} holds a run of another recipe; see its recipe.json.")
        return splits.parsed(split.read_text(), leaking=_leaking(recipe))
    if noted.exists():
        raise CannotTrain(f"{recipe.out} already holds a run: resume it, or choose another folder.")
    seed = recipe.seed if recipe.split_seed is None else recipe.split_seed
    parts = recipe.split.of(dataset.read(recipe.data), seed=seed)
    recipe.out.mkdir(parents=True, exist_ok=True)
    split.write_text(splits.written(parts))
    noted.write_text(json.dumps(recipe.described(), indent=2) + "\n")
    return parts


def _leaking(recipe: Recipe) -> bool:
    return recipe.split.unit in {"cell", "image"}


def _pictures(folder: Path, cells: Sequence[Cell]) -> Pictures:
    """Read every cell once, with the serving preprocessing; 108 KiB of memory each."""
    pixels = np.empty((len(cells), SIDE, SIDE, 3), dtype=np.uint8)
    for i, cell in enumerate(cells):
        try:
            pixels[i] = preprocess(folder / cell.file)
        except UnreadableImage as error:
            raise CannotTrain(f"{cell.file}: {error}") from error
    positions = {cell_class: i for i, cell_class in enumerate(CellClass)}
    truth = torch.tensor([positions[cell.cell_class] for cell in cells])
    return Pictures(torch.from_numpy(pixels), truth)


def _learner(recipe: Recipe, device: torch.device) -> Learner:
    """The network before its first step, and an average equal to it."""
    network, average = _started(recipe, device), _started(recipe, device)
    return Learner(network, average, _optimizer(network, recipe), Progress())


def _started(recipe: Recipe, device: torch.device) -> EfficientNet:
    """The network before its first step; the new head is drawn from the seed."""
    torch.manual_seed(recipe.seed)
    tensors, eps = _start_weights(recipe)
    network = build(norm_eps=eps)
    for name, parameter in network.classifier.named_parameters():
        # torchvision draws a head for 1000 classes; for five its logits would start at about 6
        nn.init.normal_(parameter, std=0.01 if name.endswith("weight") else 0.0)
    if tensors:
        tensors |= {
            key: value
            for key, value in network.state_dict().items()
            if key.startswith("classifier.") and tensors.get(key, value[:0]).shape != value.shape
        }
        try:
            network.load_state_dict(tensors, strict=True)
        except RuntimeError as error:
            raise CannotTrain(f"{recipe.init} holds weights of another network.") from error
    return network.to(device, memory_format=torch.channels_last)


def _start_weights(recipe: Recipe) -> tuple[dict[str, Tensor], float]:
    """The tensors to start from, and the BatchNorm eps that belongs to them."""
    if recipe.init == "scratch":
        return {}, recipe.norm_eps
    if recipe.init == "imagenet":
        try:
            return imagenet_weights(), IMAGENET_EPS
        except OSError as error:
            raise CannotTrain(
                "The ImageNet weights cannot be downloaded here: give a file with --init FILE."
            ) from error
    try:
        with safetensors.safe_open(recipe.init, framework="pt") as file:
            noted = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 -- no dict
    except (OSError, safetensors.SafetensorError) as error:
        raise CannotTrain(f"{recipe.init} cannot be read as safetensors: {error}.") from error
    return tensors, float(noted.get("norm_eps", recipe.norm_eps))


def _optimizer(network: EfficientNet, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW over groups of one learning rate each, kernels (which decay) apart from the rest."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    last = len(network.features) - 1
    for name, parameter in network.named_parameters():
        if name.startswith("classifier."):
            rate = recipe.head_rate
        else:
            block = int(name.split(".")[1])
            rate = recipe.body_rate * recipe.layer_decay ** (last - block)
        decay = WEIGHT_DECAY if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "highest": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ]
    )


def _bar(recipe: Recipe, cells: int, done: int) -> tqdm[NoReturn]:
    """One bar for the whole run, in pixels, so that its time left knows the sizes to come."""
    cost = [cells * recipe.stage(epoch).side ** 2 for epoch in range(recipe.epochs)]
    return tqdm(
        total=sum(cost),
        initial=sum(cost[:done]),
        bar_format="{l_bar}{bar}| {elapsed}, {remaining} left{postfix}",
        mininterval=0.5 if os.isatty(2) else 15,
        smoothing=0.05,
    )


# An epoch


def _epoch(
    recipe: Recipe, learner: Learner, pictures: Pictures, bar: tqdm[NoReturn]
) -> dict[str, float]:
    """Show the network every training picture once; returns the mean loss and the accuracy."""
    epoch, network, optimizer = learner.progress.epochs, learner.network, learner.optimizer
    torch.manual_seed(recipe.seed * 100_003 + epoch)  # for dropout and stochastic depth
    generator = torch.Generator().manual_seed(recipe.seed * 100_003 + epoch)
    device = next(network.parameters()).device
    side = recipe.stage(epoch).side
    batches = _batches(len(pictures.truth), recipe.batch_size, generator)
    losses, right, seen = 0.0, 0, 0
    _learning(network, recipe.stage(epoch).frozen)
    for position, chosen in enumerate(batches):
        step = epoch * len(batches) + position
        _set_rate(optimizer, (step + 1) / (recipe.epochs * len(batches)))
        pixels = augment(pictures.pixels[chosen], side, generator).to(device)
        truth = pictures.truth[chosen].to(device)
        wanted = one_hot(truth, len(CellClass)).float()
        if recipe.mixup:
            pixels, wanted = mixed(pixels, wanted, recipe.mixup, generator)
        # bf16 is quicker on a GPU and slower on most CPUs
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = network(normalise(pixels).contiguous(memory_format=torch.channels_last))
        loss = _loss(recipe, logits.float(), wanted)
        if not math.isfinite(loss.item()):
            raise CannotTrain(f"The loss became {loss.item()} in epoch {epoch + 1}.")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        _follow(learner.average, network, min(AVERAGE, (1 + step) / (10 + step)))
        losses += loss.item() * len(chosen)
        right += int((logits.argmax(dim=1) == truth).sum())
        seen += len(chosen)
        bar.set_postfix_str(
            f"epoch {epoch + 1}/{recipe.epochs}, loss {losses / seen:.3f}, "
            f"accuracy {right / seen:.1%}",
            refresh=False,
        )
        bar.update(len(pictures.truth) * side**2 // len(batches))
    return {"loss": losses / seen, "accuracy": right / seen}


def _loss(recipe: Recipe, logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy with what is wanted (N, 5), or partly with what the network would answer.

    Its answer, not its probabilities: with those the gradient is the plain one made shorter, and
    AdamW takes steps of the same length whatever the gradient's.
    """
    if recipe.bootstrap:
        answered = one_hot(logits.argmax(dim=1), len(CellClass)).float()
        wanted = (1 - recipe.bootstrap) * wanted + recipe.bootstrap * answered
    return cross_entropy(logits, wanted, label_smoothing=recipe.smoothing)


def _learning(network: EfficientNet, frozen: int) -> None:
    """Set the network to learn, but for its first blocks: neither weights nor statistics."""
    network.train()
    for i, block in enumerate(network.features):
        for parameter in block.parameters():
            parameter.requires_grad_(i >= frozen)
        if i < frozen:
            block.eval()


def _batches(count: int, size: int, generator: torch.Generator) -> list[Tensor]:
    """A random order in whole batches; what is left over waits for another epoch."""
    order = torch.randperm(count, generator=generator)
    return [order[i : i + size] for i in range(0, max(1, count - size + 1), size)]


def _set_rate(optimizer: torch.optim.AdamW, done: float) -> None:
    """Learning rates for a moment of the training (0 to 1): a rise, then half a cosine."""
    if done < WARM_UP:
        share = done / WARM_UP
    else:
        wave = 0.5 + 0.5 * math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))
        share = LAST_RATE + (1 - LAST_RATE) * wave
    for group in optimizer.param_groups:
        group["lr"] = group["highest"] * share


@torch.no_grad()
def _follow(average: EfficientNet, network: EfficientNet, kept: float) -> None:
    """Move the average towards the network."""
    torch._foreach_lerp_(  # one call for 213 tensors, as torch's own optimizers do
        list(average.parameters()), list(network.parameters()), 1 - kept
    )


# Judging


@torch.no_grad()
def _reestimate(network: EfficientNet, pictures: Pictures, recipe: Recipe) -> None:
    """Estimate BatchNorm's means and variances anew, at the size of serving.

    Averaged weights, other weights' activations or another picture size shift them: the start made
    from EfficientNet-Lite0 is of little use before this.
    """
    device = next(network.parameters()).device
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
        norm.train()
    generator = torch.Generator().manual_seed(recipe.seed)
    chosen = torch.randperm(len(pictures.truth), generator=generator)[:CALIBRATION]
    batches = max(1, len(chosen) // EVALUATION_BATCH)
    for batch in chosen.tensor_split(batches):
        network(_shown(pictures.pixels[batch], device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def _shown(pixels: Tensor, device: torch.device) -> Tensor:
    planes = normalise(pixels.to(device))
    return planes.contiguous(memory_format=torch.channels_last)


def _judged_after(
    recipe: Recipe, learner: Learner, pictures: dict[Part, Pictures]
) -> Judged | None:
    """How the average fares after an epoch, where there is a validation part to say so."""
    epoch = learner.progress.epochs
    if "validation" not in pictures and epoch + 1 < recipe.epochs:
        return None
    _reestimate(learner.average, pictures["train"], recipe)
    if "validation" not in pictures:
        return None
    logits, _ = _answers(learner.average, pictures["validation"].pixels)
    truth = pictures["validation"].truth
    figures = Figures.of(truth.tolist(), logits.argmax(dim=1).tolist())
    return Judged(figures, cross_entropy(logits, truth).item())


def _better(judged: Judged | None, progress: Progress) -> bool:
    """Note what a new epoch is worth; without a validation part the latest is the one to keep."""
    if judged is None:
        progress.best_epoch = progress.epochs
        return True
    figures, loss = judged.figures, judged.loss
    if (figures.macro_f1, -loss) <= (progress.best_f1, -progress.best_loss):
        return False
    progress.best_epoch = progress.epochs
    progress.best_f1, progress.best_loss = figures.macro_f1, loss
    return True


def _past(recipe: Recipe, progress: Progress) -> bool:
    """Whether the best epoch lies so far back that waiting for a better one is over."""
    return bool(recipe.patience) and progress.epochs - progress.best_epoch >= recipe.patience


def frozen_features(recipe: Recipe, cells: Sequence[Cell]) -> NDArray[np.float32]:
    """What the start says of cells before any step (N, 1280): how far one comes without training.

    BatchNorm is re-estimated as before a training, on these cells' pictures without their classes.
    """
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    pictures = _pictures(recipe.data, cells)
    network = _started(recipe, torch.device("cpu"))
    if recipe.init != "scratch":
        _reestimate(network, pictures, recipe)
    _, features = _answers(network, pictures.pixels)
    found: NDArray[np.float32] = features.numpy()
    return found


@torch.no_grad()
def _answers(network: EfficientNet, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (N, 5) and features (N, 1280) of pictures, as the network would serve."""
    device = next(network.parameters()).device
    network.eval()
    logits, features = [], []
    for batch in torch.split(pixels, EVALUATION_BATCH):
        pooled = network.features(_shown(batch, device)).mean(dim=(2, 3))
        features.append(pooled.cpu())
        logits.append(network.classifier(pooled).cpu())
    return torch.cat(logits), torch.cat(features)


# What a run leaves behind


def _record(
    recipe: Recipe, progress: Progress, lesson: dict[str, float], judged: Judged | None
) -> None:
    """Add the epoch's line to ``history.jsonl``, once, also after a resume."""
    path = recipe.out / "history.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    line = {
        "epoch": progress.epochs,
        "side": recipe.stage(progress.epochs - 1).side,
        "frozen": recipe.stage(progress.epochs - 1).frozen,
        "seconds": round(progress.seconds, 1),
        "training_loss": lesson["loss"],
        "training_accuracy": lesson["accuracy"],
    }
    if judged:
        line |= {
            "validation_loss": judged.loss,
            "validation_accuracy": judged.figures.accuracy,
            "validation_macro_f1": judged.figures.macro_f1,
        }
    kept = [*lines[: progress.epochs - 1], json.dumps(line)]
    path.write_text("\n".join(kept) + "\n")


def _told(
    recipe: Recipe, progress: Progress, lesson: dict[str, float], judged: Judged | None
) -> str:
    """An epoch in a line."""
    line = (
        f"epoch {progress.epochs} at {recipe.stage(progress.epochs - 1).side}: training loss "
        f"{lesson['loss']:.4f}, accuracy {lesson['accuracy']:.2%}"
    )
    if judged:
        line += (
            f"; validation loss {judged.loss:.4f}, accuracy {judged.figures.accuracy:.2%}, "
            f"macro-F1 {judged.figures.macro_f1:.2%}"
        )
    return line


def _finished(
    recipe: Recipe,
    learner: Learner,
    parts: dict[Part, list[Cell]],
    pictures: dict[Part, Pictures],
) -> dict[Part, Figures]:
    """Judge what is kept, on the test part only now; write ``metrics.json`` and the answers."""
    best = learner.average
    best.load_state_dict(safetensors.torch.load_file(recipe.out / BEST))
    figures: dict[Part, Figures] = {}
    for part, shown in pictures.items():
        if part == "train":
            continue
        logits, features = _answers(best, shown.pixels)
        figures[part] = Figures.of(shown.truth.tolist(), logits.argmax(dim=1).tolist())
        if part == "test":
            answered = Answered.of(parts[part], logits.numpy(), features.numpy())
            answered.write(recipe.out / ANSWERS)
    metrics = {
        "recipe": recipe.described(),
        "preprocessing_version": PREPROCESSING_VERSION,
        "split_digest": splits.digest(parts),
        "cells": {part: dataset.counts(cells) for part, cells in parts.items()},
        "borders": splits.borders(parts),
        "best_epoch": learner.progress.best_epoch,
        "training_seconds": round(learner.progress.seconds),
        "torch": torch.__version__,
        "figures": {part: asdict(one) for part, one in figures.items()},
    }
    (recipe.out / METRICS).write_text(json.dumps(metrics, indent=2) + "\n")
    return figures
