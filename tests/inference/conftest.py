"""A small world for the network: a model folder with random weights, cells drawn by code."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image, ImageDraw

from inference import dataset, splits
from inference.calibrate import calibrate
from inference.evaluate import Figures
from inference.export import export
from inference.labels import CellClass
from inference.manifest import MANIFEST
from inference.network import build
from inference.preprocess import PREPROCESSING_VERSION

torch.set_num_threads(1)  # on a busy machine two threads wait for each other more than they work
SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def sipakmed():
    """Real crops, where they lie beside the project."""
    folder = SHARED / "sipakmed"
    if not folder.exists():
        pytest.skip("no SIPaKMeD crops beside the project (../shared/data/sipakmed)")
    return folder


def drawn_network():
    """A network with random weights whose layers all matter, as in a trained one."""
    torch.manual_seed(5)
    network = build(norm_eps=1e-3)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:  # no two alike, as in a trained network
                parameter.add_(torch.randn_like(parameter) * 0.05)
        for _ in range(8):  # without statistics that fit them, no signal reaches the last layer
            network(torch.randn(8, 3, 64, 64))
    return network


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """What a finished training leaves behind, with weights that were drawn, not learnt."""
    folder = tmp_path_factory.mktemp("run")
    tensors = {key: value.contiguous() for key, value in drawn_network().state_dict().items()}
    safetensors.torch.save_file(
        tensors, folder / "best.safetensors", metadata={"norm_eps": "0.001"}
    )
    figures = asdict(Figures.of([0, 1, 2, 3, 4], [0, 1, 2, 3, 0]))
    metrics = {
        "recipe": {"epochs": 1},
        "preprocessing_version": PREPROCESSING_VERSION,
        "split_digest": "0" * 64,
        "cells": {},
        "figures": {"validation": figures, "test": figures},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


@pytest.fixture(scope="session")
def model(run, tmp_path_factory):
    """A whole model folder; tests that change one copy it first."""
    folder = tmp_path_factory.mktemp("models") / "drawn-1"
    export(run, folder)
    return folder


def draw(cell_class, number, side=64):
    """A cell as a picture: classes differ in colour, numbers in everything else."""
    chance = np.random.default_rng([list(CellClass).index(cell_class), number])
    colours = ["#b0506a", "#6a80b0", "#8a6ab0", "#4f8f80", "#d09a70"]
    image = Image.new("RGB", (side, side), "#e8e4ea")
    pen = ImageDraw.Draw(image)
    x, y = chance.uniform(0.35, 0.65, 2) * side
    for radius, colour in ((0.4, colours[list(CellClass).index(cell_class)]), (0.12, "#302048")):
        reach = radius * side * chance.uniform(0.8, 1.2)
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)
    return image


@pytest.fixture(scope="session")
def cells(tmp_path_factory):
    """A data folder in the published layout: 5 classes, 8 microscope pictures, 2 cells each."""
    folder = tmp_path_factory.mktemp("cells")
    for cell_class in CellClass:
        place = folder / f"im_{cell_class}" / f"im_{cell_class}" / "CROPPED"
        place.mkdir(parents=True)
        for number in range(16):
            name = f"{number // 2 + 1:03}_{number % 2 + 1:02}.bmp"
            draw(cell_class, number).save(place / name)
    return folder


@pytest.fixture(scope="session")
def of_cells(model, cells, tmp_path_factory):
    """A model whose manifest says that it was trained on ``cells``; not calibrated."""
    folder = shutil.copytree(model, tmp_path_factory.mktemp("models") / "drawn-2")
    split = splits.split(dataset.read(cells), seed=1)
    described = json.loads((folder / MANIFEST).read_text()) | {
        "name": "drawn-2",
        "recipe": {"seed": 1},
        "split_digest": splits.digest(split),
    }
    (folder / MANIFEST).write_text(json.dumps(described))
    return folder


@pytest.fixture(scope="session")
def calibrated(of_cells, cells, tmp_path_factory):
    """The same, calibrated at the level that so few groups can bear."""
    folder = shutil.copytree(of_cells, tmp_path_factory.mktemp("calibrated") / "drawn-2")
    calibrate(folder, cells, level=0.5)
    return folder
