"""Which model answers: registered versions, the current one, and its classifier in this process.

A model folder is found by its name among the shipped ones and in ``settings.MODEL_DIR``.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from inference import load_classifier, manifest
from inference.models import ModelVersion
from inference.weights import WrongWeights

if TYPE_CHECKING:  # the web process asks which model answers, and never loads the runtime
    from inference.classifier import Classifier

_loaded: dict[str, Classifier] = {}  # by digest; a process loads a model once
_loading = Lock()


class NoCurrentModel(Exception):
    """No model is chosen to answer; its text is a sentence for people."""


def register_shipped() -> ModelVersion:
    """Register the model in the repository; may run often.

    It becomes current where none is, or where the current one is gone: an older shipped model goes
    with the release that brought it, and could answer no new run.
    """
    version = register(manifest.shipped_folder(), current=False)
    answering = current()
    try:
        folder_of(answering.name)
    except WrongWeights:
        return register(manifest.shipped_folder(), current=True)
    return version


def register(folder: Path, *, current: bool) -> ModelVersion:
    """Register a model folder, copying it to ``settings.MODEL_DIR`` where it lies elsewhere.

    The first version registered is current whether asked for or not. Registering the same model
    again changes nothing, unless it is now to be current.

    Raises:
        WrongWeights: a file is not what the manifest says, or the name is another model's.

    """
    described = manifest.read(folder)
    load_classifier(folder)  # a model that cannot be loaded is not registered
    _keep(folder.resolve(), described)
    with transaction.atomic():
        versions = ModelVersion.objects.select_for_update()
        version = versions.filter(name=described.name).first()
        if version is None:
            version = ModelVersion.described_by(described)
        elif version.digest != described.digest:
            raise WrongWeights(
                f"Another model is registered as {described.name}: rename the folder of this one."
            )
        if current or not versions.filter(is_current=True).exists():
            versions.filter(is_current=True).exclude(pk=version.pk).update(is_current=False)
            version.is_current = True
        version.save()
    return version


def current() -> ModelVersion:
    """The version that answers new runs.

    Raises:
        NoCurrentModel: none has been registered.

    """
    version = ModelVersion.objects.filter(is_current=True).first()
    if version is None:
        raise NoCurrentModel("No model is registered: run `manage.py register_model`.")
    return version


def classifier_for(version: ModelVersion) -> Classifier:
    """The classifier of a version, loaded at the first call in this process.

    Raises:
        WrongWeights: its folder is gone, or no longer holds the model that was registered.

    """
    with _loading:
        if version.digest not in _loaded:
            folder = folder_of(version.name)
            if manifest.read(folder).digest != version.digest:
                raise WrongWeights(f"{folder} no longer holds the model registered as {version}.")
            _loaded[version.digest] = load_classifier(folder)
        return _loaded[version.digest]


def levels(version: ModelVersion) -> list[float]:
    """The levels at which a version makes prediction sets; none where it is not calibrated.

    Raises:
        WrongWeights: its folder is gone.

    """
    fitted = manifest.read(folder_of(version.name)).calibration
    return fitted.levels if fitted else []


def forget() -> None:
    """Let go of the classifiers this process has loaded."""
    with _loading:
        _loaded.clear()


def folder_of(name: str) -> Path:
    """Where the model of this name lies.

    Raises:
        WrongWeights: nowhere.

    """
    for place in (manifest.SHIPPED, Path(settings.MODEL_DIR)):
        if (place / name / manifest.MANIFEST).exists():
            return place / name
    raise WrongWeights(f"There is no folder {name} among the models of this installation.")


def _keep(folder: Path, described: manifest.Manifest) -> None:
    """Copy a model to where ``folder_of`` finds it, unless it is there."""
    if folder.name != described.name:
        raise WrongWeights(f"{folder.name} holds the model {described.name}: rename the folder.")
    kept = Path(settings.MODEL_DIR) / described.name
    if folder in (manifest.SHIPPED / described.name, kept.resolve()):
        return
    if kept.exists():
        if manifest.read(kept).digest != described.digest:
            raise WrongWeights(f"{kept} holds another model: rename the folder of this one.")
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    coming = kept.with_name(f".{kept.name}")
    shutil.copytree(folder, coming, dirs_exist_ok=True)
    coming.rename(kept)
