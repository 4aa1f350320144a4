"""``manage.py evaluate``: every figure of a model, in the terminal, as JSON and as a page."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError
from PIL import Image

from inference import absurd, activation, assess, load_classifier, manifest
from inference.answered import parts_of
from inference.assess import Assessed
from inference.assess_page import page
from inference.dataset import Cell, WrongData
from inference.management.commands.classify import images
from inference.management.options import add_plotly, plotly_beside
from inference.management.tables import aligned, percent, told_apart, with_interval, write_json
from inference.manifest import Manifest
from inference.preprocess import Source, preprocess
from inference.splits import Part
from inference.weights import WrongWeights


class Command(BaseCommand):
    help = "Measure a model on a part of its split, and on pictures that show no such cell."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", type=Path, help="a model folder")
        parser.add_argument("data", type=Path, help="the data folder it was trained on")
        parser.add_argument("--split", choices=("train", "validation", "test"), default="test")
        parser.add_argument("--split-file", type=Path, help="the training's split.csv, if at hand")
        parser.add_argument(
            "--external", type=Path, nargs="+", default=(), metavar="DIR", help="other pictures"
        )
        parser.add_argument("--seed", type=int, default=1, help="of bootstrap and drawn pictures")
        parser.add_argument("--drawn", type=int, default=60, help="pictures drawn of each kind")
        parser.add_argument("--maps", type=int, default=50, help="cells whose maps are measured")
        parser.add_argument("--threads", type=int, default=1)
        parser.add_argument("--json", type=Path, metavar="FILE")
        parser.add_argument("--html", type=Path, metavar="FILE")
        add_plotly(parser)

    def handle(  # noqa: PLR0913 -- an argument an option
        self,
        *,
        model: Path,
        data: Path,
        split: Part,
        split_file: Path | None,
        external: Sequence[Path],
        seed: int,
        drawn: int,
        maps: int,
        threads: int,
        json: Path | None,
        html: Path | None,
        plotly: Path,
        **_options: object,
    ) -> None:
        address = plotly_beside(plotly, html) if html else ""
        try:
            described = manifest.read(model)
            classifier = load_classifier(model, threads=threads)
            cells = parts_of(described, data, split_file)[split]
            others = others_of(data, cells, external, seed=seed, drawn=drawn)
            assessed = Assessed.of(classifier, data, cells)
            found = assess.assess(classifier, assessed, others, seed=seed)
            if maps:
                chosen = [data / cell.file for cell in cells[:: max(1, len(cells) // maps)]]
                found["maps"] = {
                    **activation.measure(classifier, chosen, seed=seed),
                    **_forgotten(model, described, chosen, seed=seed),
                }
            found["looks"] = assess.looks(data / cell.file for cell in cells)
        except (WrongWeights, WrongData) as error:
            raise CommandError(str(error)) from error
        found |= {
            "digest": described.digest,
            "split": split,
            "split_digest": described.split_digest,
        }
        rows = table(found)
        for line in aligned([*rows, ("", ""), *matrix(found)]):
            self.stdout.write(line)
        if json:
            write_json(json, found)
        if html:
            html.write_text(page(found, rows, plotly=address))


def _forgotten(
    model: Path, described: Manifest, chosen: Sequence[Path], *, seed: int
) -> dict[str, Any]:
    """The sanity check of the maps, where PyTorch is there to do it."""
    try:
        from inference.sanity import cascade  # noqa: PLC0415 -- evaluating needs no PyTorch else
    except ImportError:
        return {}
    pixels = np.stack([preprocess(path) for path in chosen])
    return {"forgotten": cascade(model, described, pixels, seed=seed)}


def others_of(
    data: Path, cells: Sequence[Cell], external: Sequence[Path], *, seed: int, drawn: int
) -> dict[str, list[Source]]:
    """Drawn pictures, fields made of the cells' own crops, and each folder with its folders."""
    others: dict[str, list[Source]] = {
        name: [*pictures] for name, pictures in absurd.drawn(seed, drawn).items()
    }
    crops = []
    for cell in cells:
        with Image.open(data / cell.file) as crop:
            crops.append(crop.convert("RGB"))
    others["fields"] = [*absurd.fields(crops, seed, drawn)]
    for folder in external:
        if not folder.is_dir():
            raise WrongData(f"There is no folder {folder}.")
        others[folder.name] = [*images([folder])]
        for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
            others[f"{folder.name}/{inner.name}"] = [*images([inner])]
    return others


def table(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures for people: a name and a value a line."""
    figures, between = found["figures"], found["intervals"]
    rows = [
        ("model", f"{found['model']} ({found['digest'][:12]})"),
        ("cells", f"{found['cells']} in {found['groups']} groups, {found['split']} part"),
    ]
    rows += [
        (name.replace("_", " "), with_interval(figures[name], between[name]))
        for name in ("accuracy", "macro_precision", "macro_recall", "macro_f1")
    ]
    for label, one in between["per_class"].items():
        rows += [
            (f"{label}, {name}", with_interval(one[name]["value"], one[name]["interval"]))
            for name in ("sensitivity", "specificity")
        ]
    abnormal, calibrated = found["abnormal"], found["calibration"]
    rows += [
        (
            "abnormal against rest, AUROC",
            with_interval(abnormal["auroc"], abnormal["auroc_interval"]),
        ),
        (
            f"the same, sensitivity at {abnormal['specificity']:.0%} specificity",
            with_interval(abnormal["sensitivity"], abnormal["sensitivity_interval"]),
        ),
        ("temperature", f"{calibrated['temperature']:.3f}"),
        ("calibration error before temperature", f"{calibrated['error_before']:.4f}"),
        ("calibration error", f"{calibrated['error_after']:.4f}"),
        (
            f"accuracy on the most certain {found['selective']['share']:.0%}",
            percent(found["selective"]["accuracy"]),
        ),
        *_sets(found["sets"]),
        *_abstention(found["abstention"]),
        *_familiarity(found["familiarity"]),
        *_ensemble(found.get("ensemble")),
        *_maps(found.get("maps")),
    ]
    return rows


def matrix(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The confusion matrix, a line a class."""
    figures = found["figures"]
    heads = "".join(f"{name[:8]:>10}" for name in figures["per_class"])
    return [
        ("true class, called as", heads),
        *(
            (name, "".join(f"{count:>10}" for count in row))
            for name, row in zip(figures["per_class"], figures["confusion"], strict=True)
        ),
    ]


def _sets(sets: dict[str, Any] | None) -> list[tuple[str, str]]:
    if sets is None:
        return [("prediction sets", "the model is not calibrated")]
    return [
        (f"sets at {sets['level']:.0%}, coverage of cells", percent(sets["coverage"])),
        (f"sets at {sets['level']:.0%}, coverage by group", percent(sets["coverage_by_group"])),
        (f"sets at {sets['level']:.0%}, mean size", f"{sets['mean_size']:.2f}"),
    ]


def _abstention(abstention: dict[str, Any]) -> list[tuple[str, str]]:
    accuracy = abstention["accuracy_of_the_others"]
    return [
        ("abstained", percent(abstention["share"])),
        *((f"  {reason}", str(count)) for reason, count in abstention["reasons"].items()),
        ("accuracy where it did not", "-" if accuracy is None else percent(accuracy)),
        ("wrong", f"{abstention['wrong']}, of which stood by {abstention['wrong_and_stood_by']}"),
    ]


def _familiarity(familiarity: dict[str, Any] | None) -> list[tuple[str, str]]:
    if familiarity is None:
        return []
    return [
        ("familiar", percent(familiarity["known_kept"])),
        *(told_apart(name, one) for name, one in familiarity["sets"].items()),
    ]


def _ensemble(ensemble: dict[str, Any] | None) -> list[tuple[str, str]]:
    if ensemble is None:
        return []
    each = ", ".join(percent(one) for one in ensemble["accuracy_of_each"])
    told = ensemble["wrong_told_by"]
    return [
        ("accuracy of each network", each),
        ("networks name different classes", percent(ensemble["disagree"])),
        ("accuracy where they do not", percent(ensemble["accuracy_where_they_agree"])),
        (
            "wrong answers told by disagreement, by confidence",
            f"AUROC {told['disagreement']:.3f}, {told['confidence']:.3f}",
        ),
    ]


def _maps(maps: dict[str, Any] | None) -> list[tuple[str, str]]:
    if maps is None:
        return []
    shares = maps["shares"]
    rows = [
        (
            f"of {maps['cells']} maps, on the {part}",
            f"{percent(shares[f'on_{part}'])}, of the picture {percent(shares[part])}",
        )
        for part in ("cell", "nucleus")
    ]
    rows += [
        (
            f"{change} by the map, at random",
            f"{maps[f'{change}_map']:.3f}, {maps[f'{change}_random']:.3f}",
        )
        for change in ("deletion", "insertion")
    ]
    stain = maps["stain"]["all"]
    rows.insert(
        2,
        (
            "the same, nucleus by its stain",
            f"{percent(stain['on_nucleus'])}, of the picture {percent(stain['nucleus'])}",
        ),
    )
    for label, curves in maps["curves_per_class"].items():
        own, stained = maps["per_class"][label], maps["stain"][label]
        words = [
            f"{percent(own['on_cell'])} of {percent(own['cell'])}",
            f"{percent(own['on_nucleus'])} of {percent(own['nucleus'])}",
            f"{percent(stained['on_nucleus'])} of {percent(stained['nucleus'])}",
            f"deletion {curves['deletion_map']:.3f} ({curves['deletion_random']:.3f})",
            f"insertion {curves['insertion_map']:.3f} ({curves['insertion_random']:.3f})",
        ]
        rows.append((f"  {label}: cell, nucleus, by its stain", ", ".join(words)))
    if "forgotten" in maps:
        forgotten = maps["forgotten"]
        steps = zip(forgotten["steps"], forgotten["correlation"], forgotten["size"], strict=True)
        told = ", ".join(f"{name} {value:.2f} ({size:.2f})" for name, value, size in steps)
        rows.append(("maps like before (size of it), once forgotten down to", told))
    return rows
