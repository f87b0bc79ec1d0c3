"""`triptych status --check` against the real Triton: a model that runs elsewhere than asked, one that is not ready, and no server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import runnable
from tests.support.serving import add_model, empty_repository, serving
from triptych.metrics import fetch
from triptych_server.engine.control import ControlApi
from triptych_server.errors import EngineError

CONFIG = """
backend: "openvino"
default_model_filename: "model.onnx"
max_batch_size: 8
instance_group [ { kind: KIND_CPU count: 1 } ]
parameters { key: "TARGET_DEVICE" value { string_value: "%s" } }
parameters { key: "INFERENCE_PRECISION_HINT" value { string_value: "f32" } }
input [ { name: "x" data_type: TYPE_UINT8 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]
"""
ALLOWED = 'parameters { key: "allow_fallback" value { string_value: "true" } }'


def check(engine, *more, **environment):
    """The command as a health check runs it, by the user who started the server or, with another XDG_STATE_HOME, by another one."""
    command = [Path(sys.executable).parent / "triptych", "status", "--check", "--url", engine.grpc_url]
    command += ["--metrics-url", engine.metrics_url, *more]
    inherited = {name: value for name, value in os.environ.items() if name != "TRIPTYCH_CONTROL_KEY"}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=inherited | environment)


def test_a_model_that_fell_back_fails_the_check_and_shows_in_the_metrics(tmp_path):
    """OpenVINO's GPU, which this machine has not: Triton lets the instance (KIND_CPU) through, so the backend decides."""
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "asked_cpu", CONFIG % "CPU", runnable.doubler)
    add_model(repository, "asked_gpu", CONFIG % "GPU" + ALLOWED, runnable.doubler)
    with serving(repository, tmp_path) as engine:
        done = check(engine)
        metrics = fetch(engine.metrics_url, 10)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "triptych: asked_gpu was to run on GPU, and runs on CPU in f32\n"
    shown = {model: [labels[name] for name in ("requested", "actual", "precision")] for model, (labels,) in metrics.devices.items()}
    assert shown == {"asked_cpu": ["CPU", "CPU", "f32"], "asked_gpu": ["GPU", "CPU", "f32"]}
    assert metrics.fallbacks == {"asked_gpu"}  # whose value is 0


def test_a_closed_index_does_not_hide_a_model_that_is_not_ready(tmp_path):
    """As in a container: bound to every address, so that the index is closed to those without the control key."""
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "good", CONFIG % "CPU", runnable.doubler)
    with serving(repository, tmp_path, control_key="secret") as engine:
        done = check(engine, XDG_STATE_HOME=str(tmp_path))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "1 models are ready, on the devices that they were asked to run on\n"

        add_model(repository, "late", CONFIG % "GPU", runnable.doubler)
        with pytest.raises(EngineError, match="late could not be loaded"):
            ControlApi(engine.http_url, engine.control_headers).load("late")
        done = check(engine, XDG_STATE_HOME=str(tmp_path))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "triptych: the server says that it is not ready; its log says why\n"
        (tmp_path / "key").write_text("secret\n")
        for done in (check(engine), check(engine, "--control-key-file", str(tmp_path / "key"), XDG_STATE_HOME=str(tmp_path))):
            assert done.returncode == 1
            assert done.stderr.startswith("triptych: late is UNAVAILABLE (DeviceError: ")
    done = check(engine)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("triptych: ")
    assert done.stderr.count("\n") == 1
