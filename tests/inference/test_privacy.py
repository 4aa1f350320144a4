"""The runtime keeps to itself: nothing is written to the home folder, nothing is reported."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_runtime_draws_no_number_for_this_machine_and_writes_nothing_home(tmp_path):
    # Without CI, in which the runtime is quiet of itself.
    quiet = {"CI", "ORT_DISABLE_TELEMETRY"}
    environment = {name: value for name, value in os.environ.items() if name not in quiet}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    program = "from inference import runtime; runtime.onnxruntime.get_available_providers()"

    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)

    assert list(tmp_path.rglob("*")) == []
