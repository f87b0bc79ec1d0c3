"""`triptych serve` in the environment of Immich's machine-learning service: its models come from the hub, its settings reach Triton."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import tritonclient.grpc as triton_grpc

from tests.support.hub import hub_environment, running_hub
from tests.support.serving import CHECKOUT
from triptych_server.models.served_names import served_names

TRIPTYCH = str(Path(sys.executable).with_name("triptych"))
START_SECONDS = 300.0
VARIABLES = {
    "MACHINE_LEARNING_PRELOAD__CLIP__TEXTUAL": "ViT-B-32__openai",
    "MACHINE_LEARNING_PRELOAD__FACIAL_RECOGNITION__DETECTION": "buffalo_l",
    "MACHINE_LEARNING_MODEL_INTRA_OP_THREADS": "1",
    "MACHINE_LEARNING_DEVICE_IDS": "0,1",
    "MACHINE_LEARNING_WORKERS": "2",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """What the program said, a client, and the hub with the demo's weights under Immich's names."""
    tmp = tmp_path_factory.mktemp("immich")
    repository = CHECKOUT.copy_to(tmp / "repository")
    with running_hub() as hub:
        hub.add("immich-app/ViT-B-32__openai", CHECKOUT.demo_weights)
        hub.add("immich-app/buffalo_l", CHECKOUT.demo_faces)
        environment = hub_environment(hub, tmp / "cache", **VARIABLES)
        with serving(repository, tmp, environment) as (url, said), triton_grpc.InferenceServerClient(url) as client:
            yield said, client, repository


@contextmanager
def serving(repository, tmp, environment):
    """`triptych serve`, once it serves: its gRPC address, and what it said on the way."""
    ports = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]
    command = [TRIPTYCH, "serve", "--repository", str(repository.root), "--log-file", str(tmp / "triton.log"), *ports]
    with (tmp / "out").open("w") as out, (tmp / "err").open("w") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, text=True, env=environment)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (found := re.search(r"grpc://(\S+)\n", (tmp / "out").read_text())):
            assert process.poll() is None, (tmp / "err").read_text()
            assert time.monotonic() < deadline, (tmp / "err").read_text()
            time.sleep(0.1)
        yield found[1], (tmp / "err").read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_the_models_to_preload_are_served(served):
    _, client, repository = served
    assert {task: name.repository for task, name in served_names(repository).items()} == {
        "clip": "immich-app/ViT-B-32__openai",
        "faces": "immich-app/buffalo_l",
    }
    assert all(client.is_model_ready(model) for model in ("search_image", "search_text", "faces", "photo"))


def test_threads_reach_the_runtime(served):
    _, client, _ = served
    config = client.get_model_config("clip_visual").config
    assert config.parameters["intra_op_thread_count"].string_value == "1"


def test_what_has_no_effect_is_told(served):
    said, _, _ = served
    assert "MACHINE_LEARNING_WORKERS has no effect: one server uses all cores and devices" in said
    assert "MACHINE_LEARNING_DEVICE_IDS has no effect: the profile cpu uses no GPU" in said


def test_a_second_start_asks_no_hub_and_changes_nothing(served, tmp_path):
    """What the variables name is served already: neither a hub nor the cache is needed."""
    _, _, repository = served
    files = [*(graph for graph in repository.networks.glob("*/1/model.onnx")), repository.root / "served.json"]
    before = {file: file.stat().st_mtime_ns for file in files}
    environment = {**os.environ, **VARIABLES, "HF_ENDPOINT": "http://127.0.0.1:1", "TRIPTYCH_CACHE": str(tmp_path / "empty")}
    with serving(repository, tmp_path, environment) as (url, said), triton_grpc.InferenceServerClient(url) as client:
        assert client.is_model_ready("photo")
        assert "waiting" not in said
    assert {file: file.stat().st_mtime_ns for file in files} == before
    assert not (tmp_path / "empty").exists()
