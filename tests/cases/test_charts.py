"""Figures are data: what is drawn can be read before it is drawn."""

from cases import charts
from inference.labels import CellClass


def test_the_bars_are_the_probabilities_and_the_abnormal_ones_are_hatched():
    figure = charts.probability_figure(zip(CellClass, (0.999, 0.0, 0.0, 0.001, 0.0), strict=True))

    [bars] = figure["data"]
    assert bars["x"] == [0.999, 0.0, 0.0, 0.001, 0.0]
    assert bars["y"] == [cell_class.value for cell_class in CellClass]
    assert bars["text"] == ["> 99 %", "0 %", "0 %", "< 1 %", "0 %"]
    assert bars["marker"]["pattern"]["shape"] == ["/", "/", "", "", ""]
