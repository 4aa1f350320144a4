"""The figures of a classifier, against hand-made numbers and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from inference.evaluate import Figures
from inference.labels import CellClass


def test_the_figures_are_those_of_scikit_learn():
    chance = np.random.default_rng(2)
    truth = chance.integers(0, 5, 300)
    predicted = np.where(chance.random(300) < 0.7, truth, chance.integers(0, 5, 300))

    figures = Figures.of(truth.tolist(), predicted.tolist())

    precision, recall, f1, _ = precision_recall_fscore_support(truth, predicted, average="macro")
    assert figures.accuracy == pytest.approx(np.mean(truth == predicted))
    assert figures.macro_precision == pytest.approx(precision)
    assert figures.macro_recall == pytest.approx(recall)
    assert figures.macro_f1 == pytest.approx(f1)


def test_rows_of_the_confusion_matrix_are_what_the_cells_are():
    figures = Figures.of([0, 0, 1, 2, 3, 4], [0, 1, 1, 2, 3, 3])

    assert figures.confusion[0] == [1, 1, 0, 0, 0]
    assert figures.confusion[4] == [0, 0, 0, 1, 0]
    assert figures.per_class["Dyskeratotic"].support == 2


def test_a_class_confused_within_its_side_keeps_its_sensitivity():
    figures = Figures.of([0, 1, 1, 2, 3, 4], [1, 0, 2, 3, 4, 0])

    assert figures.abnormal_sensitivity == pytest.approx(2 / 3)
    assert figures.abnormal_specificity == pytest.approx(2 / 3)


def test_a_class_that_was_never_predicted_counts_as_zero():
    figures = Figures.of([0, 1], [0, 0])

    assert figures.per_class["Koilocytotic"].precision == 0
    assert figures.per_class["Metaplastic"].f1 == 0


def test_the_report_names_every_class():
    report = str(Figures.of([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]))

    assert "5 cells: accuracy 100.00%" in report
    assert all(cell_class.value in report for cell_class in CellClass)
