"""The commands: classify and train without a database, export and register with sentences."""

import json
import os
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from inference import dataset, familiarity, manifest, registry, splits
from inference.labels import LABELS, CellClass
from inference.manifest import FAMILIARITY
from inference.models import ModelVersion
from tests.inference.conftest import draw

ROOT = Path(__file__).parents[2]


@pytest.fixture
def smears(tmp_path):
    """Three cells in nested folders, a text that is no image, and a broken image."""
    folder = tmp_path / "smears"
    (folder / "deeper").mkdir(parents=True)
    draw(CellClass.PARABASAL, 1).save(folder / "a.png")
    draw(CellClass.METAPLASTIC, 1).save(folder / "deeper" / "b.BMP", "BMP")
    (folder / "deeper" / "c.jpg").write_bytes(b"broken")
    (folder / "notes.txt").write_text("no image")
    return folder


def classified(*arguments):
    """What the command prints to each side, and how it failed."""
    out, err = StringIO(), StringIO()
    failure = None
    try:
        call_command("classify", *map(str, arguments), stdout=out, stderr=err)
    except CommandError as error:
        failure = str(error)
    return out.getvalue().splitlines(), err.getvalue(), failure


def test_classify_prints_a_line_an_image_in_folders_too(smears, model):
    lines, beside, failure = classified(smears, "--model", model)

    assert [line.split(": ")[0] for line in lines] == [
        str(smears / name) for name in ("a.png", "deeper/b.BMP", "deeper/c.jpg")
    ]
    assert lines[0].split(": ")[1].rsplit(" ", 1)[0] in LABELS
    assert lines[0].endswith("%")
    assert "not an image of a known kind" in lines[2]
    assert "Research and education only, not for diagnosis." in beside
    assert failure == "1 of 3 files could not be read."


def test_classify_prints_json_a_line(smears, model):
    lines, _, _ = classified(smears, "--json", "--model", model)

    first, _, third = map(json.loads, lines)
    assert first.keys() == {
        "file",
        "cell_class",
        "probabilities",
        "prediction_set",
        "level",
        "familiarity",
        "familiar",
        "abstained",
        "reasons",
        "disagreement",
        "model_version",
    }
    assert list(first["probabilities"]) == list(LABELS)
    assert first["cell_class"] == max(first["probabilities"], key=first["probabilities"].get)
    assert first["model_version"] == "drawn-1"
    assert third.keys() == {"file", "error"}


def test_classify_says_what_the_model_does_not_stand_by(tmp_path, calibrated):
    Image.new("RGB", (90, 90), "black").save(tmp_path / "black.png")

    [line], _, _ = classified(tmp_path / "black.png", "--json", "--model", calibrated)
    [words], _, _ = classified(tmp_path / "black.png", "--model", calibrated)

    told = json.loads(line)
    assert told["abstained"] is True
    assert told["reasons"][0] == "The picture is blank."
    assert told["prediction_set"][0] == told["cell_class"]
    assert told["familiar"] is (told["familiarity"] >= 0.05)
    assert "needs a human look: The picture is blank." in words


def test_classify_asks_for_sets_at_a_level_that_the_model_knows(tmp_path, calibrated):
    draw(CellClass.PARABASAL, 1).save(tmp_path / "cell.png")
    named = (tmp_path / "cell.png", "--json", "--model", calibrated, "--level")

    [line], _, _ = classified(*named, "0.5")
    _, _, failure = classified(*named, "0.75")

    assert json.loads(line)["level"] == 0.5
    assert failure == "This model has no prediction sets at 75%, but at 50%."


def test_classify_takes_a_named_file_whatever_it_is_called(smears, model):
    lines, _, _ = classified(smears / "notes.txt", smears / "a.png", "--model", model)

    assert "not an image" in lines[0]
    assert "%" in lines[1]


def test_classify_refuses_a_folder_without_images_and_one_without_a_model(smears, tmp_path):
    (tmp_path / "empty").mkdir()

    assert classified(tmp_path / "empty")[2] == "There are no images in what was named."
    assert "There is no model in" in classified(smears, "--model", tmp_path)[2]


def test_classify_needs_no_database_and_no_settings(smears):
    unset = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PATIENT_KEYS", "DJANGO_SETTINGS_MODULE")
    bare = {key: value for key, value in os.environ.items() if key not in unset}
    bare["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/nothing"
    command = [sys.executable, "manage.py", "classify", str(smears / "a.png"), "--json"]

    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=bare, check=True)

    assert json.loads(done.stdout)["cell_class"] in LABELS


def test_a_command_whose_reader_has_seen_enough_ends_quietly(smears):
    asked = f"{sys.executable} manage.py classify {smears} {smears} {smears} | true"

    done = subprocess.run(["sh", "-c", asked], capture_output=True, text=True, cwd=ROOT, check=True)

    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_train_runs_and_its_run_can_be_exported_and_registered(cells, run, tmp_path, settings, db):
    settings.MODEL_DIR = tmp_path / "kept"
    out, model = tmp_path / "out", tmp_path / "trained-1"
    told = StringIO()

    call_command(
        *("train", "--data", str(cells), "--out", str(out), "--epochs", "1"),
        *("--batch-size", "8", "--stages", "32:1", "--init", str(run / "best.safetensors")),
        stdout=told,
    )
    call_command("export_model", str(out), str(model), stdout=told)
    call_command("register_model", str(model), "--current", stdout=told)

    version = ModelVersion.objects.get()
    assert (version.name, version.is_current) == ("trained-1", True)
    assert version.figures == json.loads((out / "metrics.json").read_text())["figures"]
    for word in ("macro precision", "macro recall", "macro-F1", "true class", "is registered"):
        assert word in told.getvalue()


def test_registering_the_shipped_model_lets_it_answer_for_one_that_is_gone(settings, tmp_path, db):
    settings.MODEL_DIR = tmp_path
    gone = ModelVersion.described_by(manifest.read(manifest.shipped_folder()))
    gone.name, gone.digest, gone.is_current = "an-older-release", "0" * 64, True
    gone.save()

    call_command("register_model", stdout=StringIO())

    assert registry.current().name == manifest.shipped_folder().name


def test_calibrate_writes_what_it_fitted_into_the_model_folder(of_cells, cells, tmp_path):
    folder = shutil.copytree(of_cells, tmp_path / "drawn-2")
    before, told = manifest.read(folder).digest, StringIO()

    call_command("calibrate", str(folder), str(cells), "--level", "0.5", stdout=told)

    described = manifest.read(folder)
    split = splits.split(dataset.read(cells), seed=1)
    assert described.digest != before
    assert described.digest[:12] in told.getvalue()
    assert described.calibration.level == 0.5
    assert described.calibration.cells == len(split["validation"])
    assert described.calibration.groups == len({cell.group for cell in split["validation"]})
    known = familiarity.read(folder / FAMILIARITY, described.files[FAMILIARITY])
    assert len(known.distances) == len(split["validation"])


def test_calibrate_refuses_cells_that_are_not_those_of_the_training(of_cells, model, cells):
    content = (model / "model.json").read_bytes()

    with pytest.raises(CommandError, match="not give the split that drawn-1 was trained with"):
        call_command("calibrate", str(model), str(cells), "--level", "0.5")
    with pytest.raises(CommandError, match=r"nowhere\.csv cannot be read"):
        call_command("calibrate", str(of_cells), str(cells), "--split-file", "nowhere.csv")
    with pytest.raises(CommandError, match="need 99 groups"):
        call_command("calibrate", str(of_cells), str(cells))

    assert (model / "model.json").read_bytes() == content
    assert not (of_cells / FAMILIARITY).exists()


def test_evaluate_prints_writes_and_draws(calibrated, cells, smears, tmp_path):
    told, found, drawn = StringIO(), tmp_path / "found.json", tmp_path / "deep" / "page.html"
    drawn.parent.mkdir()
    plotly = tmp_path / "plotly.js"
    plotly.write_text("// drawn here")
    arguments = ["evaluate", str(calibrated), str(cells), "--drawn", "2", "--external", str(smears)]

    call_command(
        *arguments,
        *("--json", str(found), "--html", str(drawn), "--plotly", str(plotly)),
        stdout=told,
    )
    again = tmp_path / "again.json"
    call_command(*arguments, "--json", str(again), stdout=StringIO())

    figures = json.loads(found.read_text())
    test = splits.split(dataset.read(cells), seed=1)["test"]
    assert (figures["split"], figures["cells"]) == ("test", len(test))
    assert sum(map(sum, figures["figures"]["confusion"])) == len(test)
    others = figures["familiarity"]["sets"]
    assert list(others) == ["blank", "noise", "text", "scenes", "fields", "smears", "smears/deeper"]
    assert (others["smears"]["pictures"], others["smears"]["unreadable"]) == (2, 1)
    assert figures["looks"]["side"] == [64] * 9
    assert len(figures["maps"]["forgotten"]["correlation"]) == 10
    for words in (
        "sets at 50%, coverage by group",
        "calibration error",
        "familiarity, blank",
        "nucleus by its stain",
        "once forgotten down to",
    ):
        assert words in told.getvalue()
    page = drawn.read_text()
    assert 'src="../plotly.js"' in page
    assert "Research and education only, not for diagnosis." in page
    assert again.read_text() == found.read_text()


def test_evaluate_measures_a_model_that_is_not_calibrated(of_cells, cells):
    told = StringIO()

    call_command("evaluate", str(of_cells), str(cells), "--drawn", "1", stdout=told)

    assert "the model is not calibrated" in told.getvalue()


def test_evaluate_says_what_is_missing(calibrated, cells, tmp_path):
    arguments = ["evaluate", str(calibrated), str(cells)]

    with pytest.raises(CommandError, match="There is no folder nowhere"):
        call_command(*arguments, "--external", "nowhere")
    with pytest.raises(CommandError, match=r"no plotly\.js at nowhere"):
        call_command(*arguments, "--html", str(tmp_path / "page.html"), "--plotly", "nowhere")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "--data", "nowhere", "--out", "out"], "There is no folder nowhere"),
        (["train", "--data", ".", "--out", "out", "--epochs", "0"], "not a number above zero"),
        (["train", "--data", ".", "--out", "out", "--stages", "big"], "not like 128:4,160:5:4"),
        (["export_model", "nowhere", "model"], "no finished training run"),
        (["calibrate", "nowhere", "data"], "There is no model in nowhere"),
        (["calibrate", "model", "data", "--level", "1"], "not a number between 0 and 1"),
        (["evaluate", "nowhere", "data"], "There is no model in nowhere"),
        (["register_model", "nowhere"], "There is no model in nowhere"),
    ],
)
def test_a_command_that_cannot_go_on_says_why(arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(CommandError, match=sentence):
        call_command(*arguments)

    assert list(tmp_path.iterdir()) == []
