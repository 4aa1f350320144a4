"""Scores of familiarity compared: how well each tells other pictures from cells never trained on.

python benchmarks/familiarity.py MODEL DATA [--external DIR ...]

A column a set of pictures; a number is the AUROC against the test part of the model's split. The
model's own score is the residual of 64 directions on features of length one.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from inference.preprocess import Source
    from inference.runtime import Network

Floats = NDArray[np.float64]
Score = Callable[[Floats, Floats], Floats]  # of logits and features; higher is farther out

sys.path.insert(0, str(Path(__file__).parents[1]))


def answers(network: "Network", sources: "Sequence[Source]") -> tuple[Floats, Floats]:
    """Logits and features as float64."""
    from inference.preprocess import UnreadableImage, preprocess

    pixels = []
    for source in sources:
        try:
            pixels.append(preprocess(source))
        except UnreadableImage as error:
            print(f"left out: {source}: {error}", file=sys.stderr)
    answered = network.answer(np.stack(pixels))
    return answered.logits.astype(float), answered.features.astype(float)


def unit(features: Floats) -> Floats:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def log_sum(logits: Floats) -> Floats:
    top = logits.max(axis=1)
    return top + np.log(np.exp(logits - top[:, None]).sum(axis=1))


def principal(centred: Floats, directions: int) -> Floats:
    return np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :directions]


def off(centred: Floats, axes: Floats) -> Floats:
    """How far each row lies from the flat of some directions."""
    return np.sqrt(np.maximum((centred**2).sum(axis=1) - ((centred @ axes) ** 2).sum(axis=1), 0))


def residual(training: Floats, directions: int, scale: Callable[[Floats], Floats] = unit) -> Score:
    scaled = scale(training)
    mean = scaled.mean(axis=0)
    axes = principal(scaled - mean, directions)
    return lambda _logits, features: off(scale(features) - mean, axes)


def mahalanobis(training: Floats, truth: NDArray[np.int64], directions: int) -> Score:
    """To the nearest class, in the principal directions of unit features; Lee et al., 2018."""
    scaled = unit(training)
    mean = scaled.mean(axis=0)
    axes = principal(scaled - mean, directions)
    placed = (scaled - mean) @ axes
    centres = np.stack([placed[truth == one].mean(axis=0) for one in range(5)])
    apart = placed - centres[truth]
    inverse = np.linalg.inv(apart.T @ apart / len(apart) + 1e-9 * np.eye(directions))

    def score(_logits: Floats, features: Floats) -> Floats:
        gaps = ((unit(features) - mean) @ axes)[:, None] - centres
        return np.einsum("nkd,de,nke->nk", gaps, inverse, gaps).min(axis=1)

    return score


def neighbour(training: Floats, place: int) -> Score:
    """To the k-th nearest training cell, on unit features; Sun et al., 2022."""
    scaled = unit(training)

    def score(_logits: Floats, features: Floats) -> Floats:
        near = 2 - 2 * unit(features) @ scaled.T
        return np.partition(near, place - 1, axis=1)[:, place - 1]

    return score


def vim(training: Floats, logits: Floats, head: tuple[Floats, Floats], directions: int) -> Score:
    """The residual of plain features and the energy together; Wang et al., 2022."""
    weight, bias = head
    origin = -np.linalg.pinv(weight) @ bias
    axes = principal(training - origin, directions)
    scale = logits.max(axis=1).mean() / off(training - origin, axes).mean()
    return lambda logits, features: scale * off(features - origin, axes) - log_sum(logits)


def scores(
    training: tuple[Floats, Floats], truth: NDArray[np.int64], head: tuple[Floats, Floats]
) -> dict[str, Score]:
    logits, features = training
    return {
        "least probability": lambda logits, _: log_sum(logits) - logits.max(axis=1),
        "energy": lambda logits, _: -log_sum(logits),
        **{f"Mahalanobis, {d}": mahalanobis(features, truth, d) for d in (64, 256)},
        **{f"neighbour {k}": neighbour(features, k) for k in (1, 5, 20)},
        **{f"ViM, {d}": vim(features, logits, head, d) for d in (64, 256)},
        "residual, 64, not scaled": residual(features, 64, scale=lambda rows: rows),
        **{f"residual, {d}": residual(features, d) for d in (16, 32, 64, 128, 256)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--external", type=Path, nargs="+", default=())
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()

    from PIL import Image
    from safetensors.numpy import load_file

    from inference import absurd, manifest
    from inference.answered import parts_of, positions
    from inference.assess import auroc
    from inference.dataset import SUFFIXES
    from inference.runtime import OnnxNetwork

    described = manifest.read(asked.model)
    network = OnnxNetwork(asked.model, described, threads=asked.threads)
    parts = parts_of(described, asked.data)
    crops = [Image.open(asked.data / cell.file) for cell in parts["test"]]
    sets = absurd.drawn() | {"fields": [*absurd.fields(crops)]}
    for folder in asked.external:
        sets[folder.name] = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES]

    known = answers(network, crops)
    others = {name: answers(network, pictures) for name, pictures in sets.items()}
    training = answers(network, [asked.data / cell.file for cell in parts["train"]])
    tensors = load_file(asked.model / manifest.WEIGHTS)
    head = (
        tensors["classifier.1.weight"].astype(float),
        tensors["classifier.1.bias"].astype(float),
    )

    print(f"{'':26}" + "".join(f"{name:>9}" for name in others))
    for name, score in scores(training, positions(parts["train"]), head).items():
        inside = score(*known)
        row = []
        for other in others.values():
            outside = score(*other)
            positive = np.arange(len(inside) + len(outside)) >= len(inside)
            row.append(auroc(np.concatenate([inside, outside]), positive))
        print(f"{name:26}" + "".join(f"{one:>9.3f}" for one in row))


if __name__ == "__main__":
    main()
