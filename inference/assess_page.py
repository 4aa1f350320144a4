"""One page of charts of what ``inference.assess`` measured; Plotly draws it in the browser."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Chart = dict[str, Any]

_IDEAL: Chart = {
    "type": "scatter",
    "mode": "lines",
    "name": "as it should be",
    "x": [0, 1],
    "y": [0, 1],
    "line": {"dash": "dot", "color": "#888"},
}

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
    if "forgotten" in found.get("maps", {}):
        charts["forgotten"] = _forgotten(found["maps"]["forgotten"])
    body = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>\n" for a, b in rows)
    return _PAGE.format(
        title=escape(f"{found['model']}, {found['split']} part"),
        about=escape(f"{found['cells']} cells in {found['groups']} groups."),
        plotly=escape(plotly),
        table=f"<table>\n{body}</table>",
        figures="\n".join(f'<figure id="{name}"></figure>' for name in charts),
        charts=json.dumps(charts).replace("</", "<\\/"),
    )


def page_of_answers(
    found: dict[str, Any],
    names: Sequence[str],
    tables: Mapping[str, Sequence[Sequence[str]]],
    *,
    plotly: str,
) -> str:
    """The page of answers out of fold, several files of them side by side."""
    charts = {"compared": _compared(found, names)}
    for name in names:
        charts[f"confusion-{name}"] = _confusion(found[name], of=name)
    charts["reliability"] = _reliabilities(found, names)
    charts["selective"] = _selectives(found, names)
    if "others" in found:
        charts["familiarity"] = _familiarity({"familiarity": {"sets": found["others"]}})
    body = "\n".join(f"<table>\n{_rows(table)}</table>" for table in tables.values() if table)
    return _PAGE.format(
        title="Answers out of fold",
        about=escape(
            f"Each of {found[names[0]]['cells']} cells was asked once, by a network that "
            "had not learnt from it."
        ),
        plotly=escape(plotly),
        table=body,
        figures="\n".join(f'<figure id="{escape(name)}"></figure>' for name in charts),
        charts=json.dumps(charts).replace("</", "<\\/"),
    )


def plain_page(title: str, about: str, charts: Mapping[str, Chart], *, plotly: str) -> str:
    """A page of charts and nothing else."""
    return _PAGE.format(
        title=escape(title),
        about=escape(about),
        plotly=escape(plotly),
        table="",
        figures="\n".join(f'<figure id="{escape(name)}"></figure>' for name in charts),
        charts=json.dumps(charts).replace("</", "<\\/"),
    )


def history_charts(runs: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Chart]:
    """What training runs noted after each epoch: loss, accuracy and macro-F1, a line a run."""
    charts = {}
    for name, title, keys in (
        ("loss", "Loss", ("training_loss", "validation_loss")),
        ("accuracy", "Accuracy", ("training_accuracy", "validation_accuracy")),
        ("f1", "Macro-F1 on the validation part", ("validation_macro_f1",)),
    ):
        lines = [
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": f"{run}, {key.replace('_', ' ')}",
                "x": [line["epoch"] for line in history if key in line],
                "y": [line[key] for line in history if key in line],
                "text": [f"{line['side']} pixels" for line in history if key in line],
                "line": {"dash": "dot" if key.startswith("training") else "solid"},
            }
            for run, history in runs.items()
            for key in keys
            if any(key in line for line in history)
        ]
        if lines:
            charts[name] = _chart(title, "epoch", "", *lines)
    return charts


def _rows(table: Sequence[Sequence[str]]) -> str:
    return "".join(
        f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>\n" for row in table
    )


def _compared(found: dict[str, Any], names: Sequence[str]) -> Chart:
    """The headline figures of each file of answers, with their intervals."""
    data = []
    for name in names:
        one = found[name]
        shown = {
            "accuracy": (one["figures"]["accuracy"], one["intervals"]["accuracy"]),
            "macro-F1": (one["figures"]["macro_f1"], one["intervals"]["macro_f1"]),
            "abnormal at 95 % specificity": (
                one["abnormal"]["sensitivity"],
                one["abnormal"]["sensitivity_interval"],
            ),
            "accuracy, most certain 80 %": (
                one["selective"]["accuracy"],
                one["selective"]["interval"],
            ),
            "coverage of sets": (one["sets"]["coverage"], one["sets"]["coverage_interval"]),
        }
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": list(shown),
                "y": [value for value, _ in shown.values()],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [high - value for value, (_, high) in shown.values()],
                    "arrayminus": [value - low for value, (low, _) in shown.values()],
                },
            }
        )
    return _chart(
        "Side by side, with 95 % intervals",
        "",
        "",
        *data,
        yaxis={"tickformat": ".0%"},
        scattermode="group",
    )


def _reliabilities(found: dict[str, Any], names: Sequence[str]) -> Chart:
    curves = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": f"{name}, error {found[name]['calibration']['error_after']:.3f}",
            "x": [one["confidence"] for one in found[name]["calibration"]["after"]],
            "y": [one["accuracy"] for one in found[name]["calibration"]["after"]],
            "text": [f"{one['cells']} cells" for one in found[name]["calibration"]["after"]],
        }
        for name in names
    ]
    return _chart("Reliability", "confidence", "accuracy", _IDEAL, *curves)


def _selectives(found: dict[str, Any], names: Sequence[str]) -> Chart:
    lines = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": [share for share, _ in found[name]["selective"]["curve"]],
            "y": [1 - accuracy for _, accuracy in found[name]["selective"]["curve"]],
        }
        for name in names
    ]
    return _risk(*lines)


def _chart(title: str, across: str, up: str, *data: Chart, **layout: Any) -> Chart:  # noqa: ANN401 -- JSON
    axes: Chart = {
        "xaxis": {"title": {"text": across}, "automargin": True},
        "yaxis": {"title": {"text": up}, "automargin": True},
    }
    for name, axis in axes.items():
        axis.update(layout.pop(name, {}))
    return {"data": list(data), "layout": {"title": {"text": title}, **axes, **layout}}


def _confusion(found: dict[str, Any], *, of: str = "") -> Chart:
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
    title = f"Confusion matrix, {of}" if of else "Confusion matrix"
    return _chart(title, "called", "true class", heat, yaxis={"autorange": "reversed"})


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
    return _chart("Reliability", "confidence", "accuracy", _IDEAL, *curves)


def _selective(found: dict[str, Any]) -> Chart:
    curve = found["selective"]["curve"]
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": [share for share, _ in curve],
        "y": [1 - accuracy for _, accuracy in curve],
    }
    return _risk(line)


def _risk(*lines: Chart) -> Chart:
    return _chart(
        "Risk and coverage",
        "share of cells answered, the most certain first",
        "share of them wrong",
        *lines,
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


def _forgotten(found: dict[str, Any]) -> Chart:
    lines = {"all": found["correlation"], **found["per_class"]}
    data = [
        {"type": "scatter", "mode": "lines+markers", "name": name, "x": found["steps"], "y": values}
        for name, values in lines.items()
    ]
    return _chart(
        "Activation maps while the network forgets, from the head down",
        "forgotten down to",
        "rank correlation with the maps before",
        *data,
        yaxis={"range": [-1, 1]},
    )
