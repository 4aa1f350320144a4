"""The model card as a page: the registered figures of the model that answers now (R26)."""

from dataclasses import dataclass

from inference import registry
from inference.models import ModelVersion
from inference.registry import NoCurrentModel

# cells that neither training nor any choice saw; or that other networks of the recipe did not see
PARTS = ("test", "out_of_fold")


@dataclass(frozen=True, slots=True)
class ClassRow:
    """How one class fared, and as what its cells were called, in the order of the labels."""

    name: str
    cells: int
    precision: str
    sensitivity: str
    f1: str
    called: list[int]


@dataclass(frozen=True, slots=True)
class Card:
    """What is registered of a model version; ``summary`` pairs a figure's name with its share."""

    version: ModelVersion
    out_of_fold: bool
    cells: int
    summary: list[tuple[str, str]]
    classes: list[ClassRow]


def current() -> Card | None:
    """The card of the model that answers new runs; None where none is registered or measured."""
    try:
        version = registry.current()
    except NoCurrentModel:
        return None
    part = next((name for name in PARTS if version.figures.get(name)), None)
    if part is None:
        return None
    figures = version.figures[part]
    summary = [
        ("Accuracy", _percent(figures["accuracy"])),
        ("Macro precision", _percent(figures["macro_precision"])),
        ("Macro recall", _percent(figures["macro_recall"])),
        ("Macro-F1", _percent(figures["macro_f1"])),
        ("Sensitivity for abnormal cells", _percent(figures["abnormal_sensitivity"])),
        ("Specificity for abnormal cells", _percent(figures["abnormal_specificity"])),
    ]
    classes = [
        ClassRow(
            name,
            of["support"],
            _percent(of["precision"]),
            _percent(of["recall"]),
            _percent(of["f1"]),
            figures["confusion"][place],
        )
        for place, name in enumerate(version.labels)
        for of in (figures["per_class"][name],)
    ]
    return Card(version, part == "out_of_fold", figures["cells"], summary, classes)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
