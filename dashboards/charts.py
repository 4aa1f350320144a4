"""Rows to Plotly figures: nothing but JSON, drawn by `charts.js`.

A colour is the name of a custom property of `charts.css` or `base.css`, so that one figure serves
the light and the dark page. Every mark also has its words: colour is never the only sign.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from math import ceil
from typing import Any, TypedDict

from cases.models import Case
from dashboards.statistics import (
    Agreement,
    ClassCount,
    InterpretationCount,
    ReportMonth,
    StateCount,
    Target,
    TurnaroundWeek,
)
from inference.labels import CellClass

BAR_HEIGHT = 36  # pixels, the space to the next bar included
NAMED_WEEKS = 12  # at most so many labels on the axis, however long the period
FEW = 5  # up to so many, counts have a tick each (no fractions) and weeks lie flat (room)


class Figure(TypedDict):
    data: list[dict[str, Any]]
    layout: dict[str, Any]


def class_colour(cell_class: CellClass) -> str:
    """The colour of a class, the same in every chart."""
    return f"var(--cell-{cell_class.value.lower()})"


def states(rows: Sequence[StateCount]) -> Figure:
    """Cases by state, a bar each, in the order of a case's life."""
    return _bars([row.label for row in rows], [row.count for row in rows], "Cases")


def interpretations(rows: Sequence[InterpretationCount]) -> Figure:
    """Signed cases by result, a bar each."""
    codes = [row.code or row.label for row in rows]
    return _bars(codes, [row.count for row in rows], "Signed cases")


def _bars(labels: list[str], counts: list[int], title: str) -> Figure:
    bar = {
        "type": "bar",
        "orientation": "h",
        "x": counts,
        "y": labels,
        "text": counts,
        "textposition": "outside",
        "cliponaxis": False,
        "hoverinfo": "skip",
        "marker": {"color": "var(--accent)"},
    }
    return {"data": [bar], "layout": _lying_down(title, len(labels), max(counts, default=0))}


def _lying_down(title: str, bars: int, longest: int, *, room: float = 0.2) -> dict[str, Any]:
    """The layout of bars from left to right: the first on top, room for the words at the end."""
    xaxis = {"title": {"text": title}, "range": [0, longest * (1 + room) or 1], "tickformat": "d"}
    return {
        "height": 80 + BAR_HEIGHT * bars,
        "showlegend": False,
        "xaxis": xaxis | ({"dtick": 1} if longest <= FEW else {}),
        "yaxis": {"autorange": "reversed", "type": "category", "ticklabelstandoff": 6},
    }


def _class_names() -> dict[str, Any]:
    """What makes an axis name the classes, the longest in two lines: a phone is narrow."""
    names = [cell_class.value for cell_class in CellClass]
    return {
        "type": "category",
        "tickmode": "array",
        "tickvals": names,
        "ticktext": [name.replace("-", "-<br>") for name in names],
    }


NEEDS_A_LOOK = "Needs a<br>human look"


def cells(rows: Sequence[ClassCount], abstained: int = 0) -> Figure:
    """Cells by class, what the model said (open bars) above what a person found (solid ones).

    Where it abstained it said no class: those cells have a bar of their own.
    """
    colours = [*(class_colour(row.cell_class) for row in rows), "var(--ink-soft)"]
    names = [*(row.cell_class.value for row in rows), NEEDS_A_LOOK]

    def trace(who: str, counts: list[int], fill: object) -> dict[str, Any]:
        return {
            "type": "bar",
            "orientation": "h",
            "name": who,
            "x": counts,
            "y": names[: len(counts)],
            "text": [f"{who} {count}" for count in counts],
            "textposition": "outside",
            "cliponaxis": False,
            "hoverinfo": "skip",
            "marker": {"color": fill, "line": {"color": colours, "width": 2}},
        }

    predicted, found = [*(row.predicted for row in rows), abstained], [row.found for row in rows]
    layout = _lying_down("Cells", 2 * len(names), max(predicted + found, default=0), room=0.45)
    layout["yaxis"] |= _class_names()
    layout["yaxis"]["tickvals"].append(NEEDS_A_LOOK)
    layout["yaxis"]["ticktext"].append(NEEDS_A_LOOK)
    return {
        "data": [trace("Model", predicted, "var(--surface)"), trace("Reader", found, colours)],
        "layout": layout | {"barmode": "group", "bargap": 0.25, "bargroupgap": 0.05},
    }


def turnaround(rows: Sequence[TurnaroundWeek], targets: Sequence[Target]) -> Figure:
    """Median and 90th percentile a week for each priority, with the target of each as a line."""
    weeks = _every_week([row.week for row in rows])
    found = {(row.priority, row.week): row for row in rows}
    data = []
    for priority in dict.fromkeys(row.priority for row in rows):
        of_week = [found.get((priority, week)) for week in weeks]
        medians = [round(row.median_hours, 2) if row else None for row in of_week]
        ninetieths = [round(row.ninetieth_hours, 2) if row else None for row in of_week]
        data += [
            _line(weeks, medians, priority, "median", dash="solid", symbol="circle"),
            _line(weeks, ninetieths, priority, "90th percentile", dash="dot", symbol="triangle-up"),
        ]
    highest = max([*(row.ninetieth_hours for row in rows), *(target.hours for target in targets)])
    return {
        "data": data,
        "layout": {
            "height": 400,
            "xaxis": {"title": {"text": "Week beginning"}} | _week_names(weeks),
            "yaxis": {"title": {"text": "Hours", "standoff": 8}, "range": [0, highest * 1.1]},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "shapes": [_target_line(target) for target in targets],
        },
    }


def _every_week(weeks: Sequence[date]) -> list[date]:
    """From the first to the last, with those between in which nothing happened."""
    if not weeks:
        return []
    first, last = min(weeks), max(weeks)
    return [first + timedelta(weeks=n) for n in range((last - first).days // 7 + 1)]


def _week_names(weeks: Sequence[date]) -> dict[str, Any]:
    """What makes an axis name these weeks, or every so many where there is no room for all."""
    if not weeks:
        return {"type": "date"}
    margin = timedelta(days=4)
    named = weeks[:: ceil(len(weeks) / NAMED_WEEKS)]
    year = "" if weeks[0].year == weeks[-1].year else " %Y"
    return {
        "type": "date",
        "range": [(weeks[0] - margin).isoformat(), (weeks[-1] + margin).isoformat()],
        "tickmode": "array",
        "tickangle": 0 if len(named) <= FEW else -40,
        "tickvals": [week.isoformat() for week in named],
        "ticktext": [f"{week.day} {week:%b{year}}" for week in named],
    }


def _line(  # noqa: PLR0913 -- each is a feature of the line, named at the call
    weeks: list[date],
    hours: list[float | None],
    priority: Case.Priority,
    what: str,
    *,
    dash: str,
    symbol: str,
) -> dict[str, Any]:
    colour = f"var(--priority-{priority.value})"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": f"{priority.label}, {what}",
        "x": [week.isoformat() for week in weeks],
        "y": hours,
        "line": {"color": colour, "dash": dash},
        "marker": {"color": colour, "symbol": symbol, "size": 9},
        "hovertemplate": "%{y:.1f} h<extra>%{fullData.name}</extra>",
    }


def _target_line(target: Target) -> dict[str, Any]:
    colour = f"var(--priority-{target.priority.value})"
    return {
        "type": "line",
        "name": f"{target.priority.label}, target: {target.hours} h",
        "showlegend": True,
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": target.hours,
        "y1": target.hours,
        "line": {"color": colour, "dash": "longdash", "width": 1.5},
    }


def agreement(found: Agreement) -> Figure:
    """The matrix of reader and model: counts in words, the share of the reader's row as shade."""
    names = [cell_class.value for cell_class in CellClass]
    axis = _class_names() | {"showgrid": False, "zeroline": False, "ticklabelstandoff": 4}
    shares = [[count / (sum(row) or 1) for count in row] for row in found.counts]
    return {
        "data": [
            {
                "type": "heatmap",
                "x": names,
                "y": names,
                "z": shares,
                "zmin": 0,
                "zmax": 1,
                "text": [list(row) for row in found.counts],
                "texttemplate": "%{text}",
                "textfont": {"color": "var(--ink)"},
                "hovertemplate": "Reader: %{y}<br>Model: %{x}<br>%{text} cells, "
                "%{z:.0%} of the reader's<extra></extra>",
                "colorscale": [[0, "var(--shade-none)"], [1, "var(--shade-full)"]],
                "showscale": False,
                "xgap": 2,
                "ygap": 2,
            }
        ],
        "layout": {
            "height": 420,
            "xaxis": axis | {"title": {"text": "Model"}, "tickangle": -40},
            "yaxis": axis | {"title": {"text": "Reader", "standoff": 8}, "autorange": "reversed"},
        },
    }


MONTHS_IN_A_YEAR = 12
# each kind of change with its fill, its outline, and the ink that can be read on it
CHANGES = (
    ("Addenda", "addenda", "var(--accent)", "var(--accent)", "var(--accent-ink)"),
    ("Amendments", "amendments", "var(--warn-soft)", "var(--warn)", "var(--ink)"),
    ("Corrections", "corrections", "var(--surface)", "var(--line-strong)", "var(--ink)"),
)


def report_changes(rows: Sequence[ReportMonth]) -> Figure:
    """What was issued after the release, a pile of bars a month, those without any included."""
    months = _every_month([row.month for row in rows])
    found = {row.month: row for row in rows}
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "name": label,
            "x": [f"{month:%b %Y}" for month in months],
            "y": [getattr(found[month], name) if month in found else 0 for month in months],
            "text": [label if row and getattr(row, name) else "" for row in map(found.get, months)],
            "textposition": "inside",
            "textangle": 0,
            "insidetextanchor": "middle",
            "insidetextfont": {"color": ink},
            "marker": {"color": fill, "line": {"color": outline, "width": 2}},
            "hovertemplate": "%{y}<extra>%{fullData.name}</extra>",
        }
        for label, name, fill, outline, ink in CHANGES
    ]
    highest = max((row.addenda + row.amendments + row.corrections for row in rows), default=0)
    return {
        "data": data,
        "layout": {
            "height": 320,
            "barmode": "stack",
            "xaxis": {"type": "category", "tickangle": 0 if len(months) <= FEW else -40},
            "yaxis": {
                "title": {"text": "Versions issued", "standoff": 8},
                "range": [0, highest * 1.1 or 1],
                "tickformat": "d",
            }
            | ({"dtick": 1} if highest <= FEW else {}),
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        },
    }


def _every_month(months: Sequence[date]) -> list[date]:
    """From the first to the last, with those between in which nothing happened."""
    if not months:
        return []
    first, last = (
        month.year * MONTHS_IN_A_YEAR + month.month - 1 for month in (min(months), max(months))
    )
    return [
        date(n // MONTHS_IN_A_YEAR, n % MONTHS_IN_A_YEAR + 1, 1) for n in range(first, last + 1)
    ]
