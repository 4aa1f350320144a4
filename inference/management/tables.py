"""Figures as commands tell them: shares in per cent, columns one under another, JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def percent(value: float) -> str:
    return f"{value:.1%}"


def with_interval(value: float, interval: Sequence[float]) -> str:
    low, high = interval
    return f"{value:.1%} ({low:.1%} to {high:.1%})"


def told_apart(name: str, found: Mapping[str, Any]) -> tuple[str, str]:
    """How well familiarity tells a set of other pictures from cells."""
    value = (
        f"AUROC {found['auroc']:.3f}, unfamiliar {percent(found['unfamiliar'])}, "
        f"abstained {percent(found['abstained'])} of {found['pictures']}"
    )
    return f"familiarity, {name}", value


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines of text, its columns one under another."""
    if not table:
        return []
    widths = [max(len(row[place]) for row in table) for place in range(len(table[0]))]
    return [
        "  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def write_json(file: Path, found: dict[str, Any]) -> None:
    """Write the figures, numbers short enough to be read and compared."""
    file.write_text(json.dumps(rounded(found), indent=1) + "\n")


def rounded(value: Any) -> Any:  # noqa: ANN401 -- JSON is of any kind
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return value
