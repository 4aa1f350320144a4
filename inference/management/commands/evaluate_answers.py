"""``manage.py evaluate_answers``: a recipe's figures on every cell, and the goals, side by side."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inference import assess_answers, dataset, goals, load_classifier
from inference.answered import Answered
from inference.assess_page import page_of_answers
from inference.calibration import LEVEL, CannotCalibrate
from inference.dataset import Cell, WrongData
from inference.learnt import relative_distances
from inference.management.commands.evaluate import others_of
from inference.management.options import add_plotly, plotly_beside, share
from inference.management.tables import (
    aligned,
    percent,
    rounded,
    told_apart,
    with_interval,
    write_json,
)
from inference.weights import WrongWeights

STREWN = 300  # cells whose crops are strewn over drawn fields


def named(text: str) -> tuple[str, Path]:
    """``NAME=FILE``."""
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise ArgumentTypeError(f"{text!r} is not like forest=answers.npz")
    return name, Path(file)


class Command(BaseCommand):
    help = (
        "Measure a recipe on answers out of fold: by group, by run, on a random share of cells; "
        "beside baselines, and against the goals."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("data", type=Path, help="the data folder that was asked about")
        for name, what in (
            ("group", "answers of five folds by group; intervals are drawn by group"),
            ("run", "answers of five folds by run; intervals are drawn by run"),
            ("cell", "answers to a random share of cells"),
        ):
            parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=what)
        parser.add_argument(
            "--beside", type=named, action="append", default=[], metavar="NAME=FILE", help="others"
        )
        parser.add_argument(
            "--folds", type=Path, nargs="+", default=(), metavar="RUN", help="runs, for familiarity"
        )
        parser.add_argument("--model", type=Path, help="the final model, for other pictures")
        parser.add_argument("--external", type=Path, nargs="+", default=(), metavar="DIR")
        parser.add_argument("--drawn", type=int, default=60, help="pictures drawn of each kind")
        parser.add_argument("--level", type=share, default=LEVEL, help="of the prediction sets")
        parser.add_argument("--seed", type=int, default=1, help="of bootstrap and drawn pictures")
        parser.add_argument("--threads", type=int, default=1)
        parser.add_argument("--json", type=Path, metavar="FILE")
        parser.add_argument("--html", type=Path, metavar="FILE")
        parser.add_argument("--markdown", type=Path, metavar="FILE", help="the tables, for docs")
        add_plotly(parser)

    def handle(
        self,
        *,
        data: Path,
        json: Path | None,
        html: Path | None,
        markdown: Path | None,
        plotly: Path,
        **options: Any,  # noqa: ANN401 -- read by name below
    ) -> None:
        address = plotly_beside(plotly, html) if html else ""
        given = [(name, options[name]) for name in ("group", "run", "cell") if options[name]]
        given += options["beside"]
        if not given:
            raise CommandError("Name answers: --group FILE, --run FILE, --cell FILE.")
        try:
            found = rounded(measured(data, given, options))
        except (WrongData, WrongWeights, CannotCalibrate) as error:
            raise CommandError(str(error)) from error
        tables = tables_of(found)
        for table in tables.values():
            for line in aligned(table):
                self.stdout.write(line)
            self.stdout.write("")
        if json:
            write_json(json, found)
        if html:
            names = [name for name, _ in given]
            html.write_text(page_of_answers(found, names, tables, plotly=address))
        if markdown:
            markdown.write_text(markdown_of(found))


def measured(
    data: Path, given: Sequence[tuple[str, Path]], options: dict[str, Any]
) -> dict[str, Any]:
    """The figures of each file of answers, and of familiarity where runs and a model are named."""
    cells = {cell.file: cell for cell in dataset.read(data)}
    found: dict[str, Any] = {}
    for name, file in given:
        asked = Answered.read(file)
        of_them = (
            list(cells.values())
            if name in {"group", "run"}  # these are whole, or they are not what they are called
            else [cells[one] for one in asked.files if one in cells]
        )
        answered = asked.of_cells(of_them)
        units = [cell.run if name == "run" else cell.group for cell in of_them]
        found[name] = assess_answers.assess_answers(
            answered, units, level=options["level"], seed=options["seed"]
        )
    if options["folds"]:
        files, distances, folds = relative_distances(
            list(options["folds"]), data, threads=options["threads"]
        )
        groups = [cells[file].group for file in files]
        found["familiar"] = assess_answers.familiar(distances, folds, groups, seed=options["seed"])
    if options["model"]:
        found["others"] = _others(list(cells.values()), data, options)
    return found


def _others(cells: Sequence[Cell], data: Path, options: dict[str, Any]) -> dict[str, Any]:
    classifier = load_classifier(options["model"], threads=options["threads"])
    strewn = cells[:: max(1, len(cells) // STREWN)]
    pictures = others_of(
        data, strewn, options["external"], seed=options["seed"], drawn=options["drawn"]
    )
    return assess_answers.others(classifier, pictures)


def tables_of(found: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """The goals, the figures of every file of answers, and what is said of other pictures."""
    names = [name for name in found if name not in {"familiar", "others"}]
    return {
        "Goals": [("", "goal", "found", ""), *goals.rows(found)],
        "Side by side": [("", *names), *side_by_side(found, names)],
        "Familiarity": familiarity_rows(found),
    }


def markdown_of(found: dict[str, Any]) -> str:
    """The tables as a page of the documentation."""
    parts = [_ABOUT]
    for title, table in tables_of(found).items():
        if not table:
            continue
        head, *lines = table if title != "Familiarity" else [("", ""), *table]
        rows = [head, ("---",) * len(head), *lines]
        parts.append("\n".join([f"## {title}", "", *(f"| {' | '.join(row)} |" for row in rows)]))
    return "\n\n".join(parts) + "\n"


_ABOUT = """# Figures out of fold

Each cell was asked once, by a network that had not learnt from its group (or its run). Temperature
and sets are cross-fitted; intervals are 95 %, bootstrapped by group, of folds by run by run.
Research and education only, not for diagnosis. [How they are made](training.md); the numbers are in
[`cross-validation.json`](cross-validation.json)."""


def side_by_side(found: dict[str, Any], names: Sequence[str]) -> list[tuple[str, ...]]:
    """A line a figure, a column a file of answers."""
    columns = [found[name] for name in names]
    lines: list[tuple[str, ...]] = [
        ("cells", *(str(one["cells"]) for one in columns)),
        ("groups", *(str(one["groups"]) for one in columns)),
    ]
    for name in ("accuracy", "macro_precision", "macro_recall", "macro_f1"):
        shown = (with_interval(one["figures"][name], one["intervals"][name]) for one in columns)
        lines.append((name.replace("_", " "), *shown))
    for label in columns[0]["intervals"]["per_class"]:
        for name in ("sensitivity", "specificity"):
            of_class = [one["intervals"]["per_class"][label][name] for one in columns]
            shown = (with_interval(one["value"], one["interval"]) for one in of_class)
            lines.append((f"{label}, {name}", *shown))
    return [*lines, *zip(_BELOW, *(_below(one) for one in columns), strict=True)]


_BELOW = (
    "abnormal against rest, AUROC",
    "the same, sensitivity at 95% specificity",
    "temperatures",
    "calibration error without temperature",
    "calibration error",
    "accuracy on the most certain 80%",
    "sets, coverage of cells",
    "sets, coverage by group",
    "sets, mean size",
    "sets of several classes or none",
    "accuracy of the others",
)


def _below(one: dict[str, Any]) -> tuple[str, ...]:
    """The figures of ``_BELOW`` of one file of answers."""
    abnormal, calibrated, sets = one["abnormal"], one["calibration"], one["sets"]
    selective, abstention = one["selective"], one["abstention"]
    warm = calibrated["temperatures"]
    return (
        with_interval(abnormal["auroc"], abnormal["auroc_interval"]),
        with_interval(abnormal["sensitivity"], abnormal["sensitivity_interval"]),
        f"{min(warm):.2f} to {max(warm):.2f}",
        f"{calibrated['error_before']:.3f}",
        _between(calibrated["error_after"], calibrated["error_interval"]),
        with_interval(selective["accuracy"], selective["interval"]),
        with_interval(sets["coverage"], sets["coverage_interval"]),
        percent(sets["coverage_by_group"]),
        _between(sets["mean_size"], sets["size_interval"]),
        percent(abstention["share"]),
        percent(abstention["accuracy_of_the_others"] or 0),
    )


def familiarity_rows(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """What is kept as familiar, and each set of other pictures."""
    lines: list[tuple[str, ...]] = []
    if "familiar" in found:
        one = found["familiar"]
        lines += [
            ("cells kept as familiar", with_interval(one["kept"], one["kept_interval"])),
            ("the same by fold", ", ".join(percent(kept) for kept in one["kept_by_fold"])),
            ("median distance, learnt from = 1", f"{one['median_distance']:.3f}"),
        ]
    return lines + [told_apart(name, one) for name, one in found.get("others", {}).items()]


def _between(value: float, interval: Sequence[float]) -> str:
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"
