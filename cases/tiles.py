"""The cells of a gallery as the page's script takes them: one small row each, in their order."""

from collections.abc import Sequence
from typing import Any

from cases import wording
from cases.models import ABNORMAL_CLASSES
from cases.queries import Cell

Row = dict[str, Any]


def rows(shown: Sequence[Cell], others: Sequence[Cell], *, with_model: bool) -> list[Row]:
    """Those that are shown, in their order; then the others, which count and have no tile.

    Not a key of what the model answered where the reader may not see it yet.
    """
    say = _row_with_answer if with_model else _row
    return [say(cell) for cell in shown] + [say(cell) | {"hidden": True} for cell in others]


def _row_with_answer(cell: Cell) -> Row:
    return _row(cell) | _answer(cell)


def _row(cell: Cell) -> Row:
    """An image by its id and name, with what the reader said of it; where nothing, no key."""
    row: Row = {"id": str(cell.image.pk)}
    if cell.name:
        row["name"] = cell.name
    row["width"], row["height"] = cell.image.width, cell.image.height
    if cell.image.micrometres:
        row["micrometres"] = cell.image.micrometres
    if cell.displayed:
        row["displayed"] = True
    if finding := cell.finding:
        row["finding"] = {
            "id": str(finding.pk),
            "cell_class": finding.cell_class,
            "exclusion": finding.exclusion,
        }
    return row


def _answer(cell: Cell) -> Row:
    answer = cell.prediction
    if answer is None:
        return {"failure": cell.failure or "It has not read this image."}
    if answer.abstained:
        return {"model": "", "reasons": answer.reasons}
    return {
        "model": answer.stated_class,
        "share": wording.percent(answer.confidence),
        "abnormal": answer.stated_class in ABNORMAL_CLASSES,
    }
