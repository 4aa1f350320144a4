"""What the model is meant to reach, figure by figure, and whether it does.

A goal was set before anything was measured. Figures come from ``manage.py evaluate_answers`` where
cells are concerned; how quick a training and the classifier are is measured elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure by its place in what was measured, and what it should be at least, or at most.

    ``between`` is the place of its interval.
    """

    name: str
    place: str
    goal: float
    between: str = ""
    at_most: bool = False
    percent: bool = True

    def found(self, measured: dict[str, Any]) -> float | None:
        """The figure, where it was measured."""
        value = _at(measured, self.place)
        return float(value) if isinstance(value, int | float) else None

    def reached(self, value: float) -> bool:
        """Whether a figure is as good as was asked."""
        return value <= self.goal if self.at_most else value >= self.goal

    def told(self, value: float) -> str:
        """A figure in the goal's own unit."""
        return f"{value:.1%}" if self.percent else f"{value:.3f}"


ABSURD = ("photographs", "text", "blank", "noise", "fields")
GOALS = (
    Goal("accuracy, by group", "group.figures.accuracy", 0.965, "group.intervals.accuracy"),
    Goal("macro-F1, by group", "group.figures.macro_f1", 0.965, "group.intervals.macro_f1"),
    Goal("accuracy, by run", "run.figures.accuracy", 0.945, "run.intervals.accuracy"),
    Goal("macro-F1, by run", "run.figures.macro_f1", 0.945, "run.intervals.macro_f1"),
    Goal(
        "accuracy, random 15 % of cells", "cell.figures.accuracy", 0.98, "cell.intervals.accuracy"
    ),
    Goal(
        "abnormal, sensitivity at 95 % specificity, by group",
        "group.abnormal.sensitivity",
        0.98,
        "group.abnormal.sensitivity_interval",
    ),
    Goal(
        "calibration error, by group",
        "group.calibration.error_after",
        0.02,
        "group.calibration.error_interval",
        at_most=True,
        percent=False,
    ),
    Goal("sets at 99 %, coverage by group", "group.sets.coverage_by_group", 0.985),
    Goal(
        "sets at 99 %, coverage of cells",
        "group.sets.coverage",
        0.985,
        "group.sets.coverage_interval",
    ),
    Goal(
        "sets at 99 %, mean size",
        "group.sets.mean_size",
        1.15,
        "group.sets.size_interval",
        at_most=True,
        percent=False,
    ),
    Goal(
        "accuracy on the most certain 80 %, by group",
        "group.selective.accuracy",
        0.985,
        "group.selective.interval",
    ),
    *(
        Goal(f"familiarity, AUROC, {name}", f"others.{name}.auroc", 0.99, percent=False)
        for name in ABSURD
    ),
    Goal("familiarity, AUROC, Herlev", "others.herlev.auroc", 0.85, percent=False),
)


def rows(measured: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """A line a goal: its name, what was asked, what was found, and whether that is enough."""
    lines = []
    for goal in GOALS:
        asked = f"{'at most ' if goal.at_most else ''}{goal.told(goal.goal)}"
        value = goal.found(measured)
        if value is None:
            lines.append((goal.name, asked, "-", "not measured"))
            continue
        between = _at(measured, goal.between) if goal.between else None
        found = goal.told(value)
        if between:
            found += f" ({goal.told(between[0])} to {goal.told(between[1])})"
        lines.append((goal.name, asked, found, "reached" if goal.reached(value) else "missed"))
    return lines


def _at(measured: dict[str, Any], place: str) -> Any:  # noqa: ANN401 -- JSON is of any kind
    value: Any = measured
    for name in place.split("."):
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value
