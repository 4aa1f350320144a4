"""From a training run to a model folder: one copy of the numbers, no half-made folders."""

import json
import re
from pathlib import Path

import onnx
import pytest
import safetensors.numpy

from inference import manifest
from inference.export import CannotExport, export
from inference.manifest import GRAPH, WEIGHTS


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

    for part in ("validation", "test"):
        figures = described.figures[part]
        assert sum(map(sum, figures["confusion"])) == figures["cells"] > 400
        assert figures["macro_f1"] > 0.85
    sizes = [path.stat().st_size for path in manifest.SHIPPED.rglob("*") if path.is_file()]
    assert sum(sizes) < 17_000_000


def test_the_model_card_says_what_the_manifest_says():
    described = manifest.read(manifest.shipped_folder())
    card = (Path(__file__).parents[2] / "docs" / "model-card.md").read_text()

    test = described.figures["test"]
    assert described.name in card
    for figure in ("accuracy", "macro_precision", "macro_recall", "macro_f1"):
        assert f"{test[figure]:.1%}".replace("%", " %") in card
    for name, one in test["per_class"].items():
        row = next(line for line in card.splitlines() if re.match(rf"\| {name} \| [01]\.", line))
        assert f"| {one['precision']:.3f} | {one['recall']:.3f} | {one['f1']:.3f} |" in row


def test_the_model_card_says_what_evaluate_found():
    docs = Path(__file__).parents[2] / "docs"
    described = manifest.read(manifest.shipped_folder())
    found = json.loads((docs / "evaluation.json").read_text())
    card = (docs / "model-card.md").read_text()

    assert (found["model"], found["digest"]) == (described.name, described.digest)
    assert found["figures"]["confusion"] == described.figures["test"]["confusion"]
    assert f"`{described.digest[:16]}`" in card
    rows = {line.split(" | ")[0].strip("| "): line for line in card.splitlines()}
    assert rows["the same, with it"].endswith(f"{found['calibration']['error_after']:.4f} |")
    assert rows["abstained"].endswith(f"| {found['abstention']['share']:.1%} |".replace("%", " %"))
    sets = found["sets"]
    assert rows["prediction sets at 99 %: mean size"].endswith(f"| {sets['mean_size']:.2f} |")
    covered = f"{sets['coverage_by_group']:.1%}".replace("%", " %")
    assert rows["prediction sets at 99 %: coverage, each group counting once"].endswith(
        f"| {covered} |"
    )
    for name, one in found["familiarity"]["sets"].items():
        shares = [f"{one[key]:.1%}".replace("%", " %") for key in ("unfamiliar", "abstained")]
        assert f"| {name.replace('_', ' ')} | {one['auroc']:.3f} | {' | '.join(shares)} |" in card
    maps = found["maps"]
    for name, one in {"all": maps["shares"], **maps["per_class"]}.items():
        shares = [f"{share:.1%}".replace("%", " %") for share in one.values()]
        assert f"| {name} | {' | '.join(shares)} |" in card
    for figure in ("deletion_map", "deletion_random", "insertion_map", "insertion_random"):
        assert f"{maps[figure]:.3f}" in card
    for name, one in found["intervals"]["per_class"].items():
        for figure in one.values():
            low, high = (100 * end for end in figure["interval"])
            value = f"{figure['value']:.1%}".replace("%", " %")
            assert f"{value} ({low:.1f} to {high:.1f})" in card, name


def test_the_shipped_model_answers_real_crops_as_measured(sipakmed):
    from inference import load_classifier
    from inference.labels import CellClass

    crops = {one: sorted((sipakmed / f"im_{one}").iterdir())[::40] for one in CellClass}
    paths = [path for chosen in crops.values() for path in chosen]
    truth = [one for one, chosen in crops.items() for _ in chosen]

    outcomes = load_classifier(threads=2).classify(paths)

    right = sum(a.cell_class == b for a, b in zip(outcomes, truth, strict=True))
    assert right / len(paths) > 0.85
