"""What a reader goes by while deciding: how far they are, and who said what of which class."""

from collections.abc import Sequence
from dataclasses import dataclass

from cases.queries import Cell
from inference.labels import CellClass

# The common ones; a reader may write another.
EXCLUSIONS = ("Out of focus", "No cell", "Several cells", "Artefact", "Duplicate")


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a reader is: every image is decided, excluded or undecided, and counted once."""

    images: int
    decided: int
    excluded: int
    displayed: int

    @property
    def undecided(self) -> int:
        return self.images - self.decided - self.excluded

    @property
    def done(self) -> int:
        return self.decided + self.excluded


def tally(cells: Sequence[Cell]) -> Tally:
    return Tally(
        images=len(cells),
        decided=sum(bool(cell.finding and cell.finding.cell_class) for cell in cells),
        excluded=sum(bool(cell.finding and cell.finding.exclusion) for cell in cells),
        displayed=sum(cell.displayed for cell in cells),
    )


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How often the model stood by a class, and the cells that the reader gave it."""

    cell_class: CellClass
    model: int
    found: Sequence[Cell]


def by_class(cells: Sequence[Cell]) -> list[ClassCount]:
    """A row for each of the five classes, in their order, also where nobody said it."""
    return [
        ClassCount(
            cell_class,
            sum(_stated(cell) == cell_class for cell in cells),
            [c for c in cells if c.finding is not None and c.finding.cell_class == cell_class],
        )
        for cell_class in CellClass
    ]


def _stated(cell: Cell) -> str:
    return cell.prediction.stated_class if cell.prediction else ""


def abstained(cells: Sequence[Cell]) -> list[Cell]:
    """The cells that the model leaves to a person."""
    return [cell for cell in cells if cell.prediction is not None and cell.prediction.abstained]


def undecided(cells: Sequence[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.finding is None]


def unseen(cells: Sequence[Cell]) -> list[Cell]:
    """The cells that their reader has neither seen nor excluded."""
    return [cell for cell in cells if cell.is_unseen]


def next_undecided(cells: Sequence[Cell], place: int) -> Cell | None:
    """The next cell without a finding after this place, going round to the first ones."""
    return next(
        (cell for cell in [*cells[place + 1 :], *cells[:place]] if cell.finding is None), None
    )
