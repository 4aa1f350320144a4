"""One page of charts of what ``inference.assess`` measured; Plotly draws it in the browser."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Chart = dict[str, Any]

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<script src="{plotly}"></script>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 1rem }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
td, th {{ padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ccc; }}
td:first-child, th:first-child {{ text-align: left; }}
figure {{ margin: 2rem 0; height: 26rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p><strong>Research and education only, not for diagnosis.</strong> {about}</p>
{table}
{figures}
<script>
for (const [place, chart] of Object.entries({charts})) {{
  Plotly.newPlot(place, chart.data, chart.layout, {{responsive: true, displaylogo: false}});
}}
</script>
</body>
</html>
"""


def page(found: dict[str, Any], rows: Sequence[tuple[str, str]], *, plotly: str) -> str:
    """The page of an assessment; ``rows`` are its table, ``plotly`` the address of plotly.js."""
    charts = {
        "confusion": _confusion(found),
        "classes": _classes(found),
        "reliability": _reliability(found),
        "selective": _selective(found),
    }
    if found["familiarity"]:
        charts["familiarity"] = _familiarity(found)
    body = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>\n" for a, b in rows)
    return _PAGE.format(
        title=escape(f"{found['model']}, {found['split']} part"),
        about=escape(f"{found['cells']} cells in {found['groups']} groups."),
        plotly=escape(plotly),
        table=f"<table>\n{body}</table>",
        figures="\n".join(f'<figure id="{name}"></figure>' for name in charts),
        charts=json.dumps(charts).replace("</", "<\\/"),
    )


def _chart(title: str, across: str, up: str, *data: Chart, **layout: Any) -> Chart:  # noqa: ANN401 -- JSON
    axes: Chart = {
        "xaxis": {"title": {"text": across}, "automargin": True},
        "yaxis": {"title": {"text": up}, "automargin": True},
    }
    for name, axis in axes.items():
        axis.update(layout.pop(name, {}))
    return {"data": list(data), "layout": {"title": {"text": title}, **axes, **layout}}


def _confusion(found: dict[str, Any]) -> Chart:
    figures = found["figures"]
    names = list(figures["per_class"])
    heat = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": figures["confusion"],
        "texttemplate": "%{z}",
        "colorscale": "Blues",
        "reversescale": True,
        "showscale": False,
    }
    return _chart("Confusion matrix", "called", "true class", heat, yaxis={"autorange": "reversed"})


def _classes(found: dict[str, Any]) -> Chart:
    per_class = found["intervals"]["per_class"]
    data = []
    lowest = min(one[name]["interval"][0] for one in per_class.values() for name in one)
    for name in ("sensitivity", "specificity"):
        ours = [one[name] for one in per_class.values()]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": list(per_class),
                "y": [one["value"] for one in ours],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [one["interval"][1] - one["value"] for one in ours],
                    "arrayminus": [one["value"] - one["interval"][0] for one in ours],
                },
            }
        )
    return _chart(
        "Each class, with 95 % intervals by group",
        "",
        "",
        *data,
        yaxis={"tickformat": ".0%", "range": [max(0, lowest - 0.05), 1.02]},
        scattermode="group",
    )


def _reliability(found: dict[str, Any]) -> Chart:
    calibration = found["calibration"]
    ideal = {
        "type": "scatter",
        "mode": "lines",
        "name": "as it should be",
        "x": [0, 1],
        "y": [0, 1],
        "line": {"dash": "dot", "color": "#888"},
    }
    curves = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": f"{when} temperature, error {calibration[f'error_{when}']:.3f}",
            "x": [one["confidence"] for one in calibration[when]],
            "y": [one["accuracy"] for one in calibration[when]],
            "text": [f"{one['cells']} cells" for one in calibration[when]],
        }
        for when in ("before", "after")
    ]
    return _chart("Reliability", "confidence", "accuracy", ideal, *curves)


def _selective(found: dict[str, Any]) -> Chart:
    curve = found["selective"]["curve"]
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": [share for share, _ in curve],
        "y": [1 - accuracy for _, accuracy in curve],
    }
    return _chart(
        "Risk and coverage",
        "share of cells answered, the most certain first",
        "share of them wrong",
        line,
        xaxis={"tickformat": ".0%"},
        yaxis={"tickformat": ".1%", "rangemode": "tozero"},
    )


def _familiarity(found: dict[str, Any]) -> Chart:
    sets = found["familiarity"]["sets"]
    data = [
        {"type": "bar", "name": name, "x": list(sets), "y": [one[key] for one in sets.values()]}
        for name, key in (
            ("AUROC of familiarity", "auroc"),
            ("called unfamiliar", "unfamiliar"),
            ("abstained, for any reason", "abstained"),
        )
    ]
    return _chart("Pictures of other sets", "", "", *data, yaxis={"range": [0, 1]})
