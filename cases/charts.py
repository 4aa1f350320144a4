"""Rows as Plotly figures; a colour is a token of the design, which the page resolves."""

from collections.abc import Iterable
from typing import Any

from cases import wording
from inference.labels import CellClass

Figure = dict[str, Any]


def probability_figure(probabilities: Iterable[tuple[CellClass, float]]) -> Figure:
    """A bar for each class, the first on top; the abnormal ones are hatched as well as coloured."""
    rows = list(probabilities)
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": [cell_class.value for cell_class, _ in rows],
        "x": [probability for _, probability in rows],
        "text": [wording.percent(probability) for _, probability in rows],
        "textposition": "outside",
        "cliponaxis": False,
        "hoverinfo": "none",
        "marker": {
            "color": ["var(--alert)" if c.is_abnormal else "var(--accent)" for c, _ in rows],
            "pattern": {"shape": ["/" if c.is_abnormal else "" for c, _ in rows]},
        },
    }
    layout = {
        "xaxis": {
            "range": [0, 1.4],  # on a phone the longest words stand beside the longest bar
            "tickvals": [0, 0.5, 1],
            "tickformat": ".0%",
            "fixedrange": True,
        },
        "yaxis": {"autorange": "reversed", "fixedrange": True, "ticks": ""},
        "bargap": 0.35,
        "height": 230,
    }
    return {"data": [bars], "layout": layout}
