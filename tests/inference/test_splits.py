"""Splits that keep together what belongs together, and say so when they do not."""

from collections import Counter

import pytest

from inference import dataset, splits
from inference.dataset import Cell, WrongData
from inference.labels import CellClass
from inference.splits import Split


def shelf(count=400):
    """Cells in groups of one to nine; runs of some groups, and groups in two runs."""
    cells = []
    for i in range(count):
        cell_class = list(CellClass)[i % 5]
        image = f"{cell_class}-{i // 5 % 47}"
        group = f"{cell_class}-{i // 5 % 47 // 5}"
        run = f"{cell_class}-run-{i // 5 % 47 // 7}"
        cells.append(Cell(f"{i:04}.png", cell_class, group, image, run))
    return cells


def test_no_group_crosses_a_border_and_every_cell_is_dealt_once():
    cells = shelf()

    parts = splits.split(cells, seed=3)

    sides = {(cell.group, part) for part, chosen in parts.items() for cell in chosen}
    assert len(sides) == len({cell.group for cell in cells})
    dealt = [cell.file for chosen in parts.values() for cell in chosen]
    assert sorted(dealt) == sorted(cell.file for cell in cells)


def test_the_same_seed_deals_the_same_split_whatever_the_order_of_the_files():
    cells = shelf()

    first = splits.split(cells, seed=3)

    assert splits.split(cells[::-1], seed=3) == first
    assert splits.split(cells, seed=4) != first


def test_a_split_survives_being_written():
    parts = splits.split(shelf(), seed=3)

    read = splits.parsed(splits.written(parts))

    assert read == parts
    assert splits.digest(read) == splits.digest(parts)


def test_a_written_split_whose_group_crosses_a_border_is_refused():
    text = splits.written(splits.split(shelf(), seed=3))
    line = next(line for line in text.splitlines() if line.endswith(",train"))

    with pytest.raises(WrongData, match="is in test and in train"):
        splits.parsed(text.replace(line, line.removesuffix("train") + "test"))


def test_what_is_no_split_is_refused():
    with pytest.raises(WrongData, match="not a split"):
        splits.parsed("file,part\na.png,train\n")


def test_too_few_groups_are_refused():
    cells = [Cell(f"{i}.png", cell_class, "one") for i, cell_class in enumerate(CellClass)]

    with pytest.raises(WrongData, match="part is empty"):
        splits.split(cells, seed=1)


def test_the_real_split_is_near_its_shares_in_every_class(sipakmed):
    cells = dataset.read(sipakmed)

    parts = splits.split(cells, seed=1)

    totals = Counter(cell.cell_class for cell in cells)
    for part, share in splits.SHARES.items():
        counts = Counter(cell.cell_class for cell in parts[part])
        for cell_class, total in totals.items():
            assert counts[cell_class] / total == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("unit", ["cell", "image", "group", "run"])
def test_each_cell_is_in_one_fold_with_all_of_its_unit(unit):
    cells = shelf()

    folds = splits.folds(cells, unit, count=5, seed=1)

    assert sorted(cell.file for fold in folds for cell in fold) == [cell.file for cell in cells]
    if unit != "cell":
        where = {(getattr(cell, unit), i) for i, fold in enumerate(folds) for cell in fold}
        assert len(where) == len({getattr(cell, unit) for cell in cells})
    assert max(len(fold) for fold in folds) - min(len(fold) for fold in folds) < 40


def test_a_fold_by_run_learns_from_no_group_that_it_asks():
    cells = shelf()
    split = Split.parsed("run:2/5")

    parts = split.of(cells, seed=1)

    assert splits.borders(parts) == {"group": 0, "image": 0, "run": 0}
    assert sum(len(part) for part in parts.values()) < len(cells)
    in_two_runs = {cell.group for cell in cells if cell.group in {c.group for c in parts["test"]}}
    assert not in_two_runs & {cell.group for cell in parts["train"]}


def test_a_split_by_cell_tells_how_much_it_leaks():
    parts = Split.parsed("cell:15%").of(shelf(), seed=1)

    assert splits.borders(parts)["group"] > 20
    assert len(parts["test"]) == pytest.approx(60, abs=5)
    with pytest.raises(WrongData, match="is in train and in test"):
        splits.parsed(splits.written(parts))
    assert splits.parsed(splits.written(parts), leaking=True) == parts


def test_a_cell_on_both_sides_is_refused_even_where_groups_may_leak():
    parts = Split.parsed("cell:15%").of(shelf(), seed=1)
    parts["train"] = [*parts["train"], parts["test"][0]]

    with pytest.raises(WrongData, match=r"png is in train and in test"):
        splits.check(parts, leaking=True)


def test_everything_is_learnt_from_when_asked_for():
    parts = Split.parsed("all").of(shelf()[::-1], seed=1)

    assert list(parts) == ["train"]
    assert [cell.file for cell in parts["train"]] == [cell.file for cell in shelf()]


@pytest.mark.parametrize("text", ["parts", "all", "group:2/5", "run:1/10", "cell:15%"])
def test_a_split_is_written_as_it_is_read(text):
    assert str(Split.parsed(text)) == text


@pytest.mark.parametrize("text", ["slide:1/5", "group:6/5", "group:0", "cell:0%", "cell:x%", ""])
def test_what_names_no_split_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        Split.parsed(text)


def test_a_part_that_no_split_has_is_refused():
    text = splits.written(splits.split(shelf(), seed=3)).replace(",validation", ",exam")

    with pytest.raises(WrongData, match="no part exam"):
        splits.parsed(text)


def test_a_split_of_nothing_is_refused():
    with pytest.raises(WrongData, match="no cells"):
        splits.parsed("file,cell_class,group,part\n")


def test_more_folds_than_units_are_refused():
    with pytest.raises(WrongData, match="too few units of kind run"):
        splits.folds(shelf()[:10], "run", count=20, seed=1)


@pytest.mark.parametrize("unit", ["group", "run"])
def test_no_real_group_crosses_the_border_of_a_fold(sipakmed, unit):
    cells = dataset.read(sipakmed)

    for fold in range(1, 6):
        parts = Split(unit=unit, fold=fold, folds=5).of(cells, seed=1)

        assert splits.borders(parts)["group"] == 0
        assert splits.borders(parts)[unit] == 0
        assert min(dataset.counts(parts["train"]).values()) > 300
