"""What OpenVINO sees, asked in a process of its own: a broken GPU driver ends that one, not the doctor."""

import json
import subprocess
import sys

QUESTION = "import json, openvino; print(json.dumps(openvino.Core().available_devices))"
TIMEOUT = 60.0  # a GPU plugin may compile its first kernels


def ask_openvino() -> tuple[str, ...] | None:
    """Names as `CPU`, `GPU.0`, `NPU`; None when it did not answer."""
    try:
        done = subprocess.run([sys.executable, "-c", QUESTION], capture_output=True, text=True, timeout=TIMEOUT, check=True)
        return tuple(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
