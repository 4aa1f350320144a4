"""From a training run to a model folder: one copy of the numbers, no half-made folders."""

import csv
import json
import re
from pathlib import Path

import onnx
import pytest
import safetensors.numpy

from inference import manifest
from inference.export import CannotExport, export
from inference.manifest import GRAPH, WEIGHTS

DOCS = Path(__file__).parents[2] / "docs"


def test_every_weight_of_the_graph_points_into_the_weights_file(model):
    graph = onnx.load(model / GRAPH, load_external_data=False).graph
    content = (model / WEIGHTS).read_bytes()
    saved = safetensors.numpy.load(content)

    pointers = {
        tensor.name.removeprefix("network."): {e.key: e.value for e in tensor.external_data}
        for tensor in graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    }

    counted = [key for key in saved if not key.endswith("num_batches_tracked")]
    assert sorted(pointers) == sorted(counted)
    for key, pointer in pointers.items():
        begin = int(pointer["offset"])
        assert content[begin : begin + int(pointer["length"])] == saved[key].tobytes()
        assert pointer["location"] == WEIGHTS


def test_a_manifest_carries_what_was_measured(model, run):
    metrics = json.loads((run / "metrics.json").read_text())

    described = manifest.read(model)

    assert described.name == "drawn-1"
    assert described.figures == metrics["figures"]
    assert described.recipe == metrics["recipe"]


def test_an_unfinished_run_is_refused(tmp_path):
    with pytest.raises(CannotExport, match="no finished training run"):
        export(tmp_path, tmp_path / "model")

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_taken_is_refused(run, tmp_path):
    with pytest.raises(CannotExport, match="exists already"):
        export(run, tmp_path)


def test_one_model_is_shipped_and_its_figures_are_measured():
    described = manifest.read(manifest.shipped_folder())

    figures = described.figures["out_of_fold"]
    assert sum(map(sum, figures["confusion"])) == figures["cells"] > 3000
    assert figures["macro_f1"] > 0.95
    sizes = [path.stat().st_size for path in manifest.SHIPPED.rglob("*") if path.is_file()]
    assert sum(sizes) < 17_000_000


def share(value):
    return f"{value:.1%}".replace("%", " %")


def between(value, interval):
    low, high = (100 * end for end in interval)
    return f"{share(value)} ({low:.1f} to {high:.1f})"


def test_the_model_card_says_what_was_measured_out_of_fold():
    described = manifest.read(manifest.shipped_folder())
    card = (DOCS / "model-card.md").read_text()
    found = json.loads((DOCS / "cross-validation.json").read_text())["group"]

    assert described.name in card
    assert f"`{described.digest[:16]}`" in card
    assert found["figures"]["confusion"] == described.figures["out_of_fold"]["confusion"]
    figures, intervals = found["figures"], found["intervals"]
    for figure in ("accuracy", "macro_precision", "macro_recall", "macro_f1"):
        assert between(figures[figure], intervals[figure]) in card
    for name, one in figures["per_class"].items():
        row = next(line for line in card.splitlines() if re.match(rf"\| {name} \| [01]\.", line))
        assert f"| {one['precision']:.3f} | {one['recall']:.3f} | {one['f1']:.3f} |" in row
        for bounded in intervals["per_class"][name].values():
            assert between(bounded["value"], bounded["interval"]) in row
    rows = {line.split(" | ")[0].strip("| "): line for line in card.splitlines()}
    assert rows["the same, with it"].endswith(f"{found['calibration']['error_after']:.4f} |")
    sets, abstention = found["sets"], found["abstention"]
    assert rows["prediction sets at 99 %: mean size"].endswith(f"| {sets['mean_size']:.2f} |")
    covered = rows["prediction sets at 99 %: coverage, each group counting once"]
    assert covered.endswith(f"| {share(sets['coverage_by_group'])} |")
    assert rows["several classes or none in the set"].endswith(f"| {share(abstention['share'])} |")
    assert f"{abstention['wrong_and_stood_by']} of {abstention['wrong']} |" in card


def test_the_model_card_says_how_it_takes_other_pictures():
    card = (DOCS / "model-card.md").read_text()
    found = json.loads((DOCS / "cross-validation.json").read_text())

    assert {"herlev", "blank", "text", "noise", "fields", "photographs"} <= set(found["others"])
    for name, one in found["others"].items():
        shares = " | ".join(share(one[key]) for key in ("unfamiliar", "abstained"))
        assert f"| {name.replace('_', ' ')} | {one['auroc']:.3f} | {shares} |" in card
    assert f"{share(found['familiar']['kept'])} are kept" in card


def test_the_model_card_says_what_was_measured_of_the_maps():
    card = (DOCS / "model-card.md").read_text()
    maps = json.loads((DOCS / "evaluation.json").read_text())["maps"]

    for name, one in {"all": maps["shares"], **maps["per_class"]}.items():
        assert f"| {name} | {' | '.join(share(value) for value in one.values())} |" in card
    for figure in ("deletion_map", "deletion_random", "insertion_map", "insertion_random"):
        assert f"{maps[figure]:.3f}" in card
    assert f"{maps['forgotten']['correlation'][0]:.2f} with a random head" in card


def test_the_list_of_folds_has_every_cell_once_and_no_group_in_two():
    with (DOCS / "folds-by-group.csv").open() as lines:
        rows = list(csv.DictReader(lines))

    assert len({row["file"] for row in rows}) == len(rows) == 3378
    assert len({(row["group"], row["fold"]) for row in rows}) == len({row["group"] for row in rows})


def test_the_shipped_model_answers_real_crops_as_measured(sipakmed):
    from inference import load_classifier
    from inference.labels import CellClass

    crops = {one: sorted((sipakmed / f"im_{one}").iterdir())[::40] for one in CellClass}
    paths = [path for chosen in crops.values() for path in chosen]
    truth = [one for one, chosen in crops.items() for _ in chosen]

    outcomes = load_classifier(threads=2).classify(paths)

    right = sum(a.cell_class == b for a, b in zip(outcomes, truth, strict=True))
    assert right / len(paths) > 0.85
