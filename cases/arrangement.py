"""How a reader has the gallery laid out: sorted, filtered, and how large, remembered for each.

Everything that speaks of the model's answer goes by `Cell.prediction` and `Cell.failure`, and what
goes by a file's name by `Cell.name`. Where a reader may not see them yet, the cells come without,
and nothing here can tell their order.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from cases.models import Prediction
from cases.queries import Cell
from inference.familiarity import UNFAMILIAR
from inference.labels import CellClass

Key = tuple[Any, ...]
T = TypeVar("T")


def _need(cell: Cell) -> Key:
    """What could not be read, what is unfamiliar, what is uncertain, then by abnormality."""
    answer = cell.prediction
    if answer is None:
        return (0, 0.0)
    if answer.abstained:
        return (1 if _is_unfamiliar(answer) else 2, -answer.abnormality)
    return (3, -answer.abnormality)


def _is_unfamiliar(answer: Prediction) -> bool:
    return answer.familiarity is not None and answer.familiarity < UNFAMILIAR


def _by(number: Callable[[Prediction], float | None]) -> Callable[[Cell], Key]:
    """By a number of the model's answer; what has none comes first."""

    def key(cell: Cell) -> Key:
        value = number(cell.prediction) if cell.prediction else None
        return (0, 0.0) if value is None else (1, value)

    return key


def _class(cell: Cell) -> Key:
    """By the reader's class, else the model's; cells without one come first, excluded ones last."""
    if cell.finding and cell.finding.exclusion:
        return (len(CellClass),)
    named = class_of(cell)
    return (list(CellClass).index(CellClass(named)) if named else -1,)


def class_of(cell: Cell) -> str:
    """What a cell counts as in the filter: the reader's class, else the one the model stands by."""
    if cell.finding:
        return cell.finding.cell_class
    return cell.prediction.stated_class if cell.prediction else ""


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """One way to sort or to filter; ``of_model``: it tells of the model's answer."""

    label: str
    asked: T
    of_model: bool = False


SORTS: Mapping[str, Choice[Callable[[Cell], Key]]] = {
    "need": Choice("What needs a look first", _need, of_model=True),
    "abnormal": Choice(
        "The most probably abnormal first", _by(lambda answer: -answer.abnormality), of_model=True
    ),
    "uncertain": Choice(
        "The least certain first", _by(lambda answer: answer.confidence), of_model=True
    ),
    "unfamiliar": Choice(
        "The least familiar first", _by(lambda answer: answer.familiarity), of_model=True
    ),
    "class": Choice("By class", _class),
    "file": Choice("By file name", lambda _: (), of_model=True),
    "upload": Choice("As they were uploaded", lambda cell: (cell.image.uploaded_at,)),
}
FLAGS: Mapping[str, Choice[Callable[[Cell], bool]]] = {
    "look": Choice(
        "Needs a human look",
        lambda cell: cell.prediction is None or cell.prediction.abstained,
        of_model=True,
    ),
    "unfamiliar": Choice(
        "Unfamiliar",
        lambda cell: cell.prediction is not None and _is_unfamiliar(cell.prediction),
        of_model=True,
    ),
    "differs": Choice(
        "Corrected by the reader",
        lambda cell: (
            cell.finding is not None
            and cell.prediction is not None
            and cell.finding.cell_class not in {"", cell.prediction.stated_class}
        ),
        of_model=True,
    ),
    "undecided": Choice("Undecided", lambda cell: cell.finding is None),
    "excluded": Choice(
        "Excluded", lambda cell: cell.finding is not None and bool(cell.finding.exclusion)
    ),
    "unseen": Choice("Not displayed yet", lambda cell: cell.is_unseen),
}
SIZES = {"small": "Small", "medium": "Medium", "large": "Large"}


@dataclass(frozen=True, slots=True)
class Layout:
    """One reader's choices; what is unknown, or may not be told, is as if it were not chosen."""

    sort: str = "need"
    cell_class: str = ""
    flag: str = ""
    size: str = "medium"

    @classmethod
    def of(cls, chosen: Mapping[str, str], *, with_model: bool = True) -> "Layout":
        sort, flag = chosen.get("sort", ""), chosen.get("flag", "")
        return cls(
            sort=sort if sort in choices(SORTS, with_model=with_model) else _first(with_model),
            cell_class=named if (named := chosen.get("cell_class", "")) in set(CellClass) else "",
            flag=flag if flag in choices(FLAGS, with_model=with_model) else "",
            size=size if (size := chosen.get("size", "")) in SIZES else "medium",
        )

    def unfiltered(self) -> "Layout":
        return replace(self, cell_class="", flag="")

    def arrange(self, cells: Iterable[Cell]) -> list[Cell]:
        """The cells that pass the filters, sorted; those that are alike by name, where it is known.

        Else as they were uploaded: the order of hidden names would tell something of them.
        """
        by = SORTS[self.sort].asked

        def key(cell: Cell) -> Key:
            return (*by(cell), cell.name, cell.image.uploaded_at, cell.image.pk)

        return sorted(filter(self._passes, cells), key=key)

    def _passes(self, cell: Cell) -> bool:
        if self.cell_class and class_of(cell) != self.cell_class:
            return False
        return not self.flag or FLAGS[self.flag].asked(cell)


def _first(with_model: bool) -> str:
    return "need" if with_model else "upload"


def choices(of: Mapping[str, Choice[Any]], *, with_model: bool) -> dict[str, str]:
    """What may be chosen, with its label."""
    return {name: one.label for name, one in of.items() if with_model or not one.of_model}
