"""The five SIPaKMeD cell classes, in the order of the network's outputs."""

from __future__ import annotations

from enum import StrEnum


class CellClass(StrEnum):
    """What a cell looks like, after Plissiti et al., ICIP 2018 (doi 10.1109/ICIP.2018.8451588).

    The order is alphabetical and is the order of the network's outputs: it is part of every
    weights file and never changes.
    """

    DYSKERATOTIC = "Dyskeratotic"
    KOILOCYTOTIC = "Koilocytotic"
    METAPLASTIC = "Metaplastic"
    PARABASAL = "Parabasal"
    SUPERFICIAL_INTERMEDIATE = "Superficial-Intermediate"

    @property
    def is_abnormal(self) -> bool:
        """Whether SIPaKMeD counts the class as abnormal; metaplastic cells are benign."""
        return self in (CellClass.DYSKERATOTIC, CellClass.KOILOCYTOTIC)


LABELS: tuple[str, ...] = tuple(cell_class.value for cell_class in CellClass)
