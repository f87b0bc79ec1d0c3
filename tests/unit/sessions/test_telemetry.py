"""ONNX Runtime's Linux builds report to their maker unless told not to: nothing of that is set up, here or in Triton."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support import runnable
from tests.support.serving import CHECKOUT
from triptych_server.engine.command import triton_environment
from triptych_server.engine.triton import find_triton

OPEN = """
import sys
from pathlib import Path
from pathlib import Path
from triptych_server.sessions.onnxruntime import OnnxRuntimeSession
from triptych_server.sessions.protocol import SessionSettings
OnnxRuntimeSession(SessionSettings("m", Path(sys.argv[1]))).close()
"""


def test_a_session_leaves_no_device_identifier(tmp_path):
    runnable.doubler(tmp_path / "model.onnx")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment["PYTHONPATH"] = f"{CHECKOUT.root}/server"
    subprocess.run([sys.executable, "-c", OPEN, tmp_path / "model.onnx"], env=environment, check=True)
    assert list(tmp_path.rglob("*onnxruntime*")) == []


def test_triton_is_told_too():
    assert triton_environment(find_triton(), "cpu", Path("/b"), {})["ORT_DISABLE_TELEMETRY"] == "1"
    assert triton_environment(find_triton(), "cpu", Path("/b"), {"ORT_DISABLE_TELEMETRY": "0"})["ORT_DISABLE_TELEMETRY"] == "0"
