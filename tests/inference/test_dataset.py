"""Reading SIPaKMeD's two layouts, and splits that keep groups together."""

import csv
from collections import Counter

import pytest

from inference import dataset
from inference.dataset import Cell, WrongData
from inference.labels import CellClass
from tests.inference.conftest import draw


def shelf(count=400, seed_size=5):
    """Cells in groups of one to nine."""
    cells = []
    for i in range(count):
        cell_class = list(CellClass)[i % 5]
        cells.append(Cell(f"{i:04}.png", cell_class, f"{cell_class}-{i // 5 % 47 // seed_size}"))
    return cells


def test_the_published_layout_is_read_with_the_microscope_picture_as_group(cells):
    found = dataset.read(cells)

    assert len(found) == 80
    assert found[0] == Cell(
        "im_Dyskeratotic/im_Dyskeratotic/CROPPED/001_01.bmp",
        CellClass.DYSKERATOTIC,
        "Dyskeratotic-001",
    )
    assert len({cell.group for cell in found}) == 40


def test_the_flat_layout_is_read_with_the_groups_of_its_list(tmp_path):
    rows = []
    for cell_class in CellClass:
        (tmp_path / f"im_{cell_class}").mkdir()
        for name in ("001_01.jpg", "002_01.jpg"):
            draw(cell_class, 1).save(tmp_path / f"im_{cell_class}" / name)
            rows.append([f"im_{cell_class}/{name}", cell_class, "001", f"g-{cell_class}", "run"])
    with (tmp_path / "cells.csv").open("w", newline="") as lines:
        header = ["file", "cell_class", "source_image", "group", "run"]
        csv.writer(lines).writerows([header, *rows])

    found = dataset.read(tmp_path)

    assert len(found) == 10
    assert {cell.group for cell in found} == {f"g-{cell_class}" for cell_class in CellClass}


def test_an_image_that_the_list_forgot_is_refused(tmp_path):
    for cell_class in CellClass:
        (tmp_path / f"im_{cell_class}").mkdir()
        draw(cell_class, 1).save(tmp_path / f"im_{cell_class}" / "001_01.jpg")
    (tmp_path / "cells.csv").write_text("file,group\nim_Parabasal/001_01.jpg,g1\n")

    with pytest.raises(WrongData, match=r"im_Dyskeratotic/001_01\.jpg is not listed"):
        dataset.read(tmp_path)


def test_a_folder_without_a_class_is_refused(tmp_path):
    with pytest.raises(WrongData, match="no images in im_Dyskeratotic"):
        dataset.read(tmp_path)
    with pytest.raises(WrongData, match="There is no folder"):
        dataset.read(tmp_path / "gone")


def test_no_group_crosses_a_border_and_every_cell_is_dealt_once():
    cells = shelf()

    parts = dataset.split(cells, seed=3)

    sides = {(cell.group, part) for part, chosen in parts.items() for cell in chosen}
    assert len(sides) == len({cell.group for cell in cells})
    dealt = [cell.file for chosen in parts.values() for cell in chosen]
    assert sorted(dealt) == sorted(cell.file for cell in cells)


def test_the_same_seed_deals_the_same_split_whatever_the_order_of_the_files():
    cells = shelf()

    first = dataset.split(cells, seed=3)

    assert dataset.split(cells[::-1], seed=3) == first
    assert dataset.split(cells, seed=4) != first


def test_a_split_survives_being_written():
    parts = dataset.split(shelf(), seed=3)

    read = dataset.parsed(dataset.written(parts))

    assert read == parts
    assert dataset.digest(read) == dataset.digest(parts)


def test_a_written_split_whose_group_crosses_a_border_is_refused():
    text = dataset.written(dataset.split(shelf(), seed=3))
    line = next(line for line in text.splitlines() if line.endswith(",train"))

    with pytest.raises(WrongData, match="is in train and in test"):
        dataset.parsed(text.replace(line, line.removesuffix("train") + "test"))


def test_what_is_no_split_is_refused():
    with pytest.raises(WrongData, match="not a split"):
        dataset.parsed("file,part\na.png,train\n")


def test_too_few_groups_are_refused():
    cells = [Cell(f"{i}.png", cell_class, "one") for i, cell_class in enumerate(CellClass)]

    with pytest.raises(WrongData, match="part is empty"):
        dataset.split(cells, seed=1)


def test_the_real_split_is_near_its_shares_in_every_class(sipakmed):
    cells = dataset.read(sipakmed)

    parts = dataset.split(cells, seed=1)

    totals = Counter(cell.cell_class for cell in cells)
    for part, share in dataset.SHARES.items():
        counts = Counter(cell.cell_class for cell in parts[part])
        for cell_class, total in totals.items():
            assert counts[cell_class] / total == pytest.approx(share, abs=0.02)
