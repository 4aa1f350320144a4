"""Reading SIPaKMeD's two layouts."""

import csv

import pytest

from inference import dataset
from inference.dataset import Cell, WrongData
from inference.labels import CellClass
from tests.inference.conftest import draw


def test_the_published_layout_is_read_with_the_microscope_picture_as_group(cells):
    found = dataset.read(cells)

    assert len(found) == 80
    assert found[0] == Cell(
        "im_Dyskeratotic/im_Dyskeratotic/CROPPED/001_01.bmp",
        CellClass.DYSKERATOTIC,
        "Dyskeratotic-001",
        "Dyskeratotic-001",
        "Dyskeratotic-run-00",
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
    assert {cell.image for cell in found} == {f"{cell_class}-001" for cell_class in CellClass}
    assert {cell.run for cell in found} == {"run"}


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
