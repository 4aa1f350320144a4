"""What each part of the recipe buys: small trainings that differ in one thing, on one fold.

python benchmarks/ablations.py DATA --init START --out DIR [--only NAME ...]
python benchmarks/ablations.py DATA --judge RUN

Trainings that are finished are not made again, so the command can be stopped and given again; it
prints the table of what is there. Small means small: few epochs at 96 pixels, a single fold. Two
seeds of the same recipe are in the table to say how much of a difference is chance. `--judge` asks
one finished run about its test part at other sides than 192, and in eight turned and mirrored
views.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from inference.answered import Answered
    from inference.dataset import Cell

sys.path.insert(0, str(Path(__file__).parents[1]))

SIDES = (128, 160, 192, 224, 256)


@dataclass(frozen=True)
class Ablation:
    """One thing that is different: of the recipe, of `inference.augment`, or of the pictures."""

    expected: str
    recipe: dict[str, Any] = field(default_factory=dict)
    augment: dict[str, Any] = field(default_factory=dict)
    frozen: int = 4
    padded: bool = False


ABLATIONS = {
    "as it is": Ablation("what the others are compared with"),
    "another seed": Ablation("the same, but for chance", recipe={"seed": 2}),
    "padded": Ablation("keeps the shape, loses size: about the same", padded=True),
    "label smoothing 0.1": Ablation(
        "as accurate; worse among the most certain", recipe={"smoothing": 0.1}
    ),
    "mixup 0.2": Ablation("as accurate; less confident", recipe={"mixup": 0.2}),
    "bootstrap 0.2": Ablation("a little better where labels are wrong", recipe={"bootstrap": 0.2}),
    "nothing frozen": Ablation("as accurate, slower", frozen=0),
    "six blocks frozen": Ablation("quicker, worse", frozen=6),
    "layer decay 0.75": Ablation("about the same on so few cells", recipe={"layer_decay": 0.75}),
    "no stain or colour": Ablation(
        "worse on another slide than here",
        augment={"STAIN": 0.0, "GAIN": 0.0, "CONTRAST": 0.0, "SATURATION": 0.0},
    ),
    "no blur": Ablation("no difference on pictures in focus", augment={"BLURRED": 0.0}),
    "no JPEG": Ablation("no difference on pictures stored alike", augment={"COMPRESSED": 0.0}),
}


@contextmanager
def changed(module: ModuleType, values: dict[str, Any]) -> Iterator[None]:
    """A module whose constants are others for a while."""
    before = {name: getattr(module, name) for name in values}
    for name, value in values.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def padded(data: Path, out: Path, cells: "Sequence[Cell]") -> Path:
    """A copy of the data whose crops are square, their edges' colour around them."""
    if not (out / "cells.csv").exists():
        for cell in cells:
            with Image.open(data / cell.file) as crop:
                pixels = np.asarray(crop.convert("RGB"))
            edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
            height, width = pixels.shape[:2]
            side = max(height, width)
            colour = tuple(int(one) for one in np.median(edge, axis=0))
            square = Image.new("RGB", (side, side), colour)
            square.paste(Image.fromarray(pixels), ((side - width) // 2, (side - height) // 2))
            target = out / cell.file
            target.parent.mkdir(parents=True, exist_ok=True)
            square.save(target, quality=95, subsampling=0)
        (out / "cells.csv").write_text(listed(cells))
    return out


def listed(cells: "Sequence[Cell]") -> str:
    rows = [f"{one.file},{one.group},{one.image.split('-')[-1]},{one.run}" for one in cells]
    return "\n".join(["file,group,source_image,run", *rows]) + "\n"


def figures(answered: "Answered") -> tuple[float, ...]:
    """Accuracy, macro-F1, accuracy on the most certain 80 %, calibration error untouched."""
    from inference.calibration import calibration_error, softmax
    from inference.evaluate import Figures

    probabilities = softmax(answered.logits)
    called = probabilities.argmax(axis=1)
    found = Figures.of(answered.truth.tolist(), called.tolist())
    certain = np.argsort(-probabilities.max(axis=1), kind="stable")[: round(0.8 * len(called))]
    return (
        found.accuracy,
        found.macro_f1,
        float((called == answered.truth)[certain].mean()),
        calibration_error(probabilities, answered.truth),
    )


def shown(rows: "Sequence[tuple[str, str, tuple[float, ...]]]") -> None:
    """The table as the documentation has it."""
    print("| | expected | accuracy | macro-F1 | most certain 80 % | calibration error |")
    print("|---|---|---|---|---|---|")
    for name, expected, (accuracy, f1, certain, error) in rows:
        print(
            f"| {name} | {expected} | {accuracy:.1%} | {f1:.1%} | {certain:.1%} | {error:.3f} |",
            flush=True,
        )


def train_all(asked: argparse.Namespace) -> None:
    from inference import augment, dataset
    from inference.answered import Answered
    from inference.recipe import Recipe, Stage
    from inference.splits import Split
    from inference.train import train

    cells = dataset.read(asked.data)
    rows = []
    for name, ablation in ABLATIONS.items():
        run = asked.out / name.replace(" ", "-")
        if not (run / "answers.npz").exists() and (not asked.only or name in asked.only):
            recipe = Recipe(
                data=asked.data,
                out=run,
                epochs=asked.epochs,
                init=asked.init,
                split=Split.parsed(asked.split),
                split_seed=1,  # the same fold, whatever the seed of the training
                stages=(Stage(asked.side, asked.epochs, ablation.frozen),),
                threads=asked.threads,
            )
            recipe = replace(recipe, **ablation.recipe)
            if ablation.padded:
                recipe = replace(recipe, data=padded(asked.data, asked.out / "data", cells))
            with changed(augment, ablation.augment):
                train(recipe, resume=run.exists(), say=lambda line: print(line, file=sys.stderr))
        if (run / "answers.npz").exists():
            rows.append((name, ablation.expected, figures(Answered.read(run / "answers.npz"))))
    shown(rows)


def judge(data: Path, run: Path, threads: int) -> None:
    """Ask a run about its test part at other sides, and in eight views at the side of serving."""
    import torch

    from inference import preprocess, splits, weights
    from inference.answered import Answered
    from inference.network import normalise
    from inference.reference import load

    torch.set_num_threads(threads)
    content = (run / "best.safetensors").read_bytes()
    network = load(run / "best.safetensors", weights.digest(content))
    network.to(memory_format=torch.channels_last)
    cells = splits.parsed((run / "split.csv").read_text(), leaking=True)["test"]

    @torch.inference_mode()
    def logits(pixels: np.ndarray) -> np.ndarray:
        several = [
            network(normalise(batch).contiguous(memory_format=torch.channels_last))
            for batch in torch.from_numpy(pixels).split(32)
        ]
        return torch.cat(several).numpy()

    nothing = np.zeros((len(cells), 0), dtype=np.float32)
    rows = []
    for side in SIDES:
        with changed(preprocess, {"SIDE": side}):
            pixels = np.stack([preprocess.preprocess(data / cell.file) for cell in cells])
        answered = Answered.of(cells, logits(pixels), nothing)
        rows.append((f"served at {side}", "better above the side of training", figures(answered)))
        if side != preprocess.SIDE:
            continue
        views = [np.rot90(pixels, k, axes=(1, 2)) for k in range(4)]
        views += [view[:, :, ::-1] for view in views]
        mean = np.mean([np.exp(log_softmax(logits(one.copy()))) for one in views], axis=0)
        averaged = Answered.of(cells, np.log(mean).astype(np.float32), nothing)
        rows.append(
            ("eight views averaged", "a little better, eight times as slow", figures(averaged))
        )
    shown(rows)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    top = logits - logits.max(axis=1, keepdims=True)
    return top - np.log(np.exp(top).sum(axis=1, keepdims=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--init", default="imagenet")
    parser.add_argument("--out", type=Path, default=Path("ablations"))
    parser.add_argument("--only", nargs="+", choices=ABLATIONS, metavar="NAME")
    parser.add_argument("--judge", type=Path, metavar="RUN")
    parser.add_argument("--split", default="group:1/5")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    if asked.judge:
        judge(asked.data, asked.judge, asked.threads)
    else:
        train_all(asked)


if __name__ == "__main__":
    main()
