"""What happens to an image: bytes in, probabilities out. The core knows no Django and no patient.

from inference import load_classifier

classifier = load_classifier()
classifier.classify([Path("cell.bmp")])
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from inference.classifier import Classifier

# Before anything imports ONNX Runtime, which would otherwise draw a number for this machine, keep
# it in the home folder and report names and sizes of models to its maker.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def load_classifier(
    folder: Path | None = None, *, threads: int = 1, batch: int | None = None
) -> Classifier:
    """The classifier of a model folder, or the one that is shipped: takes some 0.5 s.

    Its network takes ``batch`` pictures at a time; eight, unless a measurement asks for others.

    Raises:
        WrongWeights: a file of the model is missing, truncated, changed or swapped.

    """
    # imported here so that naming the Django app costs neither numpy nor the runtime
    from inference import familiarity, runtime  # noqa: PLC0415 -- see above
    from inference.classifier import Classifier  # noqa: PLC0415 -- see above
    from inference.manifest import FAMILIARITY, read, shipped_folder  # noqa: PLC0415 -- see above

    folder = folder or shipped_folder()
    manifest = read(folder)
    network = runtime.load(folder, manifest, threads=threads, batch=batch or runtime.BATCH)
    if manifest.calibration is None:
        return Classifier(network, manifest.name)
    known = familiarity.read(folder / FAMILIARITY, manifest.files[FAMILIARITY])
    return Classifier(network, manifest.name, manifest.calibration, known)
