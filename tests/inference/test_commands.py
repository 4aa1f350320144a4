"""The commands: classify and train without a database, export and register with sentences."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from inference.labels import LABELS, CellClass
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
    assert first.keys() == {"file", "cell_class", "probabilities", "model_version"}
    assert list(first["probabilities"]) == list(LABELS)
    assert first["cell_class"] == max(first["probabilities"], key=first["probabilities"].get)
    assert first["model_version"] == "drawn-1"
    assert third.keys() == {"file", "error"}


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


def test_train_runs_and_its_run_can_be_exported_and_registered(cells, run, tmp_path, settings, db):
    settings.MODEL_DIR = tmp_path / "kept"
    out, model = tmp_path / "out", tmp_path / "trained-1"
    told = StringIO()

    call_command(
        *("train", "--data", str(cells), "--out", str(out), "--epochs", "1"),
        *("--batch-size", "8", "--sizes", "32:1", "--init", str(run / "best.safetensors")),
        stdout=told,
    )
    call_command("export_model", str(out), str(model), stdout=told)
    call_command("register_model", str(model), "--current", stdout=told)

    version = ModelVersion.objects.get()
    assert (version.name, version.is_current) == ("trained-1", True)
    assert version.figures == {
        part: json.loads((out / "metrics.json").read_text())[part]
        for part in ("validation", "test")
    }
    for word in ("macro precision", "macro recall", "macro-F1", "true class", "is registered"):
        assert word in told.getvalue()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "--data", "nowhere", "--out", "out"], "There is no folder nowhere"),
        (["train", "--data", ".", "--out", "out", "--epochs", "0"], "not a number above zero"),
        (["train", "--data", ".", "--out", "out", "--sizes", "big"], "not like 128:7,160:9"),
        (["export_model", "nowhere", "model"], "no finished training run"),
        (["register_model", "nowhere"], "There is no model in nowhere"),
    ],
)
def test_a_command_that_cannot_go_on_says_why(arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(CommandError, match=sentence):
        call_command(*arguments)

    assert list(tmp_path.iterdir()) == []
