"""A model's folder: its weights, its graph, and ``model.json``, which says what they are.

``weights.safetensors`` holds the numbers, once. ``network.onnx`` holds the graph alone: its weights
are pointers into the first file. A calibrated model has ``familiarity.npz`` too: without it and the
``calibration`` in ``model.json`` a model answers bare probabilities and never abstains.

A model may be an ensemble: several networks that answer together. The first lies as above, the
others in ``member-2/``, ``member-3/``, each with its own weights and graph.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from inference import weights
from inference.calibration import Calibration
from inference.labels import LABELS
from inference.preprocess import PREPROCESSING_VERSION
from inference.weights import WrongWeights

MANIFEST = "model.json"
WEIGHTS = "weights.safetensors"
GRAPH = "network.onnx"
FAMILIARITY = "familiarity.npz"
SHIPPED = Path(__file__).parent / "shipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a model is: its name, the SHA-256 of its files, how it was made, how it fared.

    ``figures`` are those of ``inference.evaluate.Figures`` by part of the split (``validation``,
    ``test``), measured on whole groups the training never saw; of a model that learnt from every
    cell ``out_of_fold``, those of networks of its recipe that did not see them. ``others`` are the
    recipes of an ensemble's members after the first, whose own is ``recipe``; all learnt from the
    same split.
    """

    name: str
    files: dict[str, str]
    labels: list[str]
    preprocessing_version: str
    recipe: dict[str, object]
    split_digest: str
    cells: dict[str, dict[str, int]]
    figures: dict[str, dict[str, object]]
    calibration: Calibration | None = None
    others: list[dict[str, object]] = field(default_factory=list)

    @property
    def members(self) -> tuple[str, ...]:
        """Where the networks lie in the model's folder, as a start of their files' names."""
        return tuple(member(number) for number in range(1, len(self.others) + 2))

    @property
    def digest(self) -> str:
        """The SHA-256 of all that decides an answer: files, labels, preprocessing, calibration."""
        deciding: list[object] = [
            self.files[WEIGHTS],
            self.files[GRAPH],
            self.preprocessing_version,
            self.labels,
        ]
        deciding += [
            self.files[name]
            for place in self.members[1:]
            for name in (place + WEIGHTS, place + GRAPH)
        ]
        if self.calibration:
            deciding += [self.files[FAMILIARITY], asdict(self.calibration)]
        return weights.digest(json.dumps(deciding, sort_keys=True).encode())

    def write(self, folder: Path) -> None:
        """Write ``model.json``, whole or not at all."""
        coming = folder / f".{MANIFEST}"
        coming.write_text(json.dumps(asdict(self), indent=2) + "\n")
        coming.replace(folder / MANIFEST)


def member(number: int) -> str:
    """Where a network lies, counted from 1: the first in the model's folder itself."""
    return "" if number == 1 else f"member-{number}/"


def read(folder: Path) -> Manifest:
    """The manifest of a model folder; its files are not opened yet.

    Raises:
        WrongWeights: there is none, it cannot be understood, or this code cannot serve it.

    """
    try:
        manifest = _parsed((folder / MANIFEST).read_text())
    except OSError as error:
        raise WrongWeights(f"There is no model in {folder}: {error.strerror}.") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise WrongWeights(f"{folder / MANIFEST} does not describe a model.") from error
    expected = [place + name for place in manifest.members for name in (WEIGHTS, GRAPH)]
    expected += [FAMILIARITY] if manifest.calibration else []
    if set(manifest.files) != set(expected):
        raise WrongWeights(f"{manifest.name} should consist of {' and '.join(expected)}.")
    if len({manifest.files[place + WEIGHTS] for place in manifest.members}) < len(manifest.members):
        raise WrongWeights(f"{manifest.name} holds the same network twice.")
    if tuple(manifest.labels) != LABELS:
        raise WrongWeights(f"{manifest.name} answers with other classes than this program knows.")
    if manifest.preprocessing_version != PREPROCESSING_VERSION:
        raise WrongWeights(
            f"{manifest.name} was trained on pictures prepared as "
            f"{manifest.preprocessing_version}; this program prepares {PREPROCESSING_VERSION}."
        )
    return manifest


def _parsed(text: str) -> Manifest:
    known = json.loads(text)
    if known.get("calibration"):
        known["calibration"] = Calibration(**known["calibration"])
    return Manifest(**known)


def shipped_folder() -> Path:
    """The folder of the one model in the repository.

    Raises:
        WrongWeights: there is none, or more than one.

    """
    found = sorted(path.parent for path in SHIPPED.glob(f"*/{MANIFEST}"))
    if len(found) != 1:
        raise WrongWeights(f"{SHIPPED} should hold one model; it holds {len(found)}.")
    return found[0]
