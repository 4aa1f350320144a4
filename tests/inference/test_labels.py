"""The classes and their order, on which every weights file depends."""

from inference.labels import LABELS, CellClass


def test_the_order_of_the_outputs_never_changes():
    assert LABELS == (
        "Dyskeratotic",
        "Koilocytotic",
        "Metaplastic",
        "Parabasal",
        "Superficial-Intermediate",
    )


def test_only_dyskeratotic_and_koilocytotic_cells_are_abnormal():
    assert [one for one in CellClass if one.is_abnormal] == [
        CellClass.DYSKERATOTIC,
        CellClass.KOILOCYTOTIC,
    ]
