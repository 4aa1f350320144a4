"""What a training run is made of: data, start, split, sizes and rates. Plain, without PyTorch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from inference.preprocess import SIDE
from inference.splits import Split


@dataclass(frozen=True, slots=True)
class Stage:
    """Epochs at one size: the side of the pictures, and how many of the first blocks stay as are.

    The first of the network's nine blocks see the largest planes and cost the most, and change the
    least when the network learns of cells what it learnt of photographs.
    """

    side: int
    epochs: int
    frozen: int = 0

    def __str__(self) -> str:
        return f"{self.side}:{self.epochs}" + (f":{self.frozen}" if self.frozen else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a training run is made of. Learning rates are AdamW's, at their highest.

    ``init`` is ``imagenet`` (torchvision's weights, downloaded), ``scratch`` or the path of a
    safetensors file with torchvision's keys; a head of another size in it is left out. ``norm_eps``
    is BatchNorm's for a file that does not say (1e-3: of TensorFlow's origin). ``stages`` are what
    the training begins with; the remaining epochs learn everything at the size of serving.
    ``patience`` is how many epochs may pass without a better one, where there is a validation part;
    0 is for ever.

    ``split_seed`` draws the split where ``seed`` does not: the networks of an ensemble differ in
    their seeds and learn from the same cells.

    ``body_rate`` is of the last block, and each block below has ``layer_decay`` times the rate of
    the one above. ``smoothing``, ``mixup`` and ``bootstrap`` (Reed et al., "Training Deep Neural
    Networks on Noisy Labels with Bootstrapping", ICLR 2015 workshop, arXiv 1412.6596, the hard
    kind: a share of the target is the class that the network itself names) are off unless asked
    for.
    """

    data: Path
    out: Path
    epochs: int = 50
    batch_size: int = 32
    init: str = "imagenet"
    seed: int = 1
    split: Split = field(default_factory=Split)
    split_seed: int | None = None
    stages: tuple[Stage, ...] = ()
    patience: int = 0
    body_rate: float = 4e-4
    head_rate: float = 2e-3
    layer_decay: float = 1.0
    smoothing: float = 0.0
    mixup: float = 0.0
    bootstrap: float = 0.0
    norm_eps: float = 1e-3
    threads: int = 0

    def stage(self, epoch: int) -> Stage:
        """How an epoch, counted from 0, is trained."""
        for stage in self.stages:
            if epoch < stage.epochs:
                return stage
            epoch -= stage.epochs
        return Stage(SIDE, self.epochs)

    def described(self) -> dict[str, object]:
        """The recipe as JSON, without what does not change the weights."""
        known = asdict(self)
        del known["out"], known["threads"]
        known["data"] = self.data.name
        known["init"] = Path(self.init).name
        known["split"] = str(self.split)
        if self.split_seed is None:
            del known["split_seed"]
        known["stages"] = [str(stage) for stage in self.stages]
        return known
