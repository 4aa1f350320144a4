"""Scores of familiarity compared: how well each tells other pictures from cells never trained on.

python benchmarks/familiarity.py DATA RUN [RUN ...] [--external DIR ...]

The runs are the folds of a cross validation. A column a set of pictures; a number is the AUROC in
the network of the first run, against the cells it held out. `kept` is the share of all held-out
cells that stay below a threshold which lets through 95 % of the other folds' cells, and the least
and the most of a fold: the scores of networks are laid beside each other in units of their own
training cells. The score in use is the residual of 64 directions on features of length one.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from inference.answered import Answered
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


def headed(run: Path) -> tuple[Floats, Floats]:
    """Weight and bias of a run's last layer."""
    from safetensors.numpy import load_file

    tensors = load_file(run / "best.safetensors")
    return (
        tensors["classifier.1.weight"].astype(float),
        tensors["classifier.1.bias"].astype(float),
    )


def of_run(run: Path, data: Path, threads: int) -> tuple["Answered", "Answered"]:
    """What a run's network says of cells it learnt from, and of those it held out."""
    from inference.answered import Answered
    from inference.learnt import ANSWERS, learnt

    return learnt(run, data, threads=threads), Answered.read(run / ANSWERS)


def told(answered: "Answered", part: slice = slice(None)) -> tuple[Floats, Floats]:
    return answered.logits[part].astype(float), answered.features[part].astype(float)


def kept(runs: Sequence[Path], several: Sequence[tuple["Answered", "Answered"]]) -> dict[str, str]:
    """By score, the share of held-out cells that the other folds' threshold lets through."""
    from inference.crossfit import kept_as_familiar

    pooled: dict[str, list[Floats]] = {}
    for run, (training, held_out) in zip(runs, several, strict=True):
        built = scores(told(training, slice(0, None, 2)), training.truth[::2], headed(run))
        for name, score in built.items():
            own = score(*told(training, slice(1, None, 2)))
            low, middle, high = np.percentile(own, [25, 50, 75])
            laid = (score(*told(held_out)) - middle) / (high - low)
            pooled.setdefault(name, []).append(laid)
    folds = [fold for fold, (_, one) in enumerate(several) for _ in one.files]
    shares = {}
    for name, laid in pooled.items():
        familiar = kept_as_familiar(np.concatenate(laid), tuple(folds))
        by_fold = [familiar[np.array(folds) == fold].mean() for fold in range(len(runs))]
        shares[name] = f"{familiar.mean():.1%} ({min(by_fold):.1%} to {max(by_fold):.1%})"
    return shares


def others_of(
    run: Path, data: Path, external: Sequence[Path], *, drawn: int, threads: int
) -> dict[str, tuple[Floats, Floats]]:
    """What a run's network says of drawn pictures and of folders of others."""
    from PIL import Image

    from inference import absurd, splits
    from inference.dataset import SUFFIXES
    from inference.export import export
    from inference.runtime import OnnxNetwork

    asked = splits.parsed((run / "split.csv").read_text(), leaking=True)["test"]
    crops = [Image.open(data / cell.file).convert("RGB") for cell in asked]
    sets = absurd.drawn(each=drawn) | {"fields": [*absurd.fields(crops, count=drawn)]}
    for folder in external:
        sets[folder.name] = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES]
    with TemporaryDirectory() as place:
        network = OnnxNetwork(
            Path(place) / "network", export(run, Path(place) / "network"), threads=threads
        )
        return {name: answers(network, pictures) for name, pictures in sets.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--external", type=Path, nargs="+", default=())
    parser.add_argument("--drawn", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()

    from inference.assess import auroc

    several = [of_run(run, asked.data, asked.threads) for run in asked.runs]
    shares = kept(asked.runs, several)
    others = others_of(
        asked.runs[0], asked.data, asked.external, drawn=asked.drawn, threads=asked.threads
    )
    training, held_out = several[0]
    print(f"{'':26}{'kept':>24}" + "".join(f"{name:>13}" for name in others))
    for name, score in scores(told(training), training.truth, headed(asked.runs[0])).items():
        inside = score(*told(held_out))
        row = []
        for other in others.values():
            outside = score(*other)
            positive = np.arange(len(inside) + len(outside)) >= len(inside)
            row.append(auroc(np.concatenate([inside, outside]), positive))
        print(f"{name:26}{shares[name]:>24}" + "".join(f"{one:>13.3f}" for one in row))


if __name__ == "__main__":
    main()
