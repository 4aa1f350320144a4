"""The figures of a classifier: accuracy, macro precision, recall and F1, confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from inference.labels import CellClass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How one class fared: shares between 0 and 1, and its number of cells (``support``)."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Figures:
    """How a classifier fared on some labelled cells; a class never predicted has precision 0.

    ``confusion[i][j]`` counts the cells of class ``i`` that were called class ``j``. Sensitivity
    and specificity are for abnormal (dyskeratotic or koilocytotic) against the other three.
    """

    cells: int
    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    abnormal_sensitivity: float
    abnormal_specificity: float
    per_class: dict[str, ClassFigures]
    confusion: list[list[int]]

    @classmethod
    def of(cls, truth: Sequence[int], predicted: Sequence[int]) -> Self:
        """The figures of predictions, both given as positions in ``CellClass``."""
        confusion = np.zeros((len(CellClass), len(CellClass)), dtype=np.int64)
        np.add.at(confusion, (np.asarray(truth), np.asarray(predicted)), 1)
        right = np.diag(confusion).astype(float)
        recall = _share(right, confusion.sum(axis=1))
        precision = _share(right, confusion.sum(axis=0))
        f1 = _share(2 * precision * recall, precision + recall)
        abnormal = np.array([cell_class.is_abnormal for cell_class in CellClass])
        by_side = confusion @ np.stack([~abnormal, abnormal], axis=1)
        sick, well = by_side[abnormal].sum(axis=0), by_side[~abnormal].sum(axis=0)
        return cls(
            cells=int(confusion.sum()),
            accuracy=float(right.sum() / max(1, confusion.sum())),
            macro_precision=float(precision.mean()),
            macro_recall=float(recall.mean()),
            macro_f1=float(f1.mean()),
            abnormal_sensitivity=float(sick[1] / max(1, sick.sum())),
            abnormal_specificity=float(well[0] / max(1, well.sum())),
            per_class={
                cell_class.value: ClassFigures(
                    float(precision[i]), float(recall[i]), float(f1[i]), int(confusion[i].sum())
                )
                for i, cell_class in enumerate(CellClass)
            },
            confusion=confusion.tolist(),
        )

    def __str__(self) -> str:
        """A report for people: the figures in per cent, each class, the confusion matrix."""
        lines = [
            f"{self.cells} cells: accuracy {self.accuracy:.2%}, macro-F1 {self.macro_f1:.2%}",
            f"macro precision {self.macro_precision:.2%}, macro recall {self.macro_recall:.2%}",
            f"sensitivity for abnormal cells {self.abnormal_sensitivity:.2%}",
            f"specificity for abnormal cells {self.abnormal_specificity:.2%}",
            "",
            f"{'':26}{'precision':>10}{'recall':>9}{'F1':>9}{'cells':>7}",
        ]
        lines += [
            f"{name:26}{one.precision:>10.2%}{one.recall:>9.2%}{one.f1:>9.2%}{one.support:>7}"
            for name, one in self.per_class.items()
        ]
        heads = "".join(f"{name[:8]:>10}" for name in self.per_class)
        lines += ["", f"{'true class, called as':26}{heads}"]
        lines += [
            f"{name:26}" + "".join(f"{count:>10}" for count in row)
            for name, row in zip(self.per_class, self.confusion, strict=True)
        ]
        return "\n".join(lines)


def _share(
    part: NDArray[np.float64], whole: NDArray[np.integer] | NDArray[np.floating]
) -> NDArray[np.float64]:
    """Part of whole, 0 where there is no whole."""
    shares = np.zeros_like(part)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
