"""`triptych serve` in the environment of Immich's machine-learning service: its models come from the hub, its settings reach Triton."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tritonclient.grpc as triton_grpc

from tests.support.hub import hub_environment, running_hub
from tests.support.serving import CHECKOUT
from triptych_server.models.served_names import served_names

TRIPTYCH = str(Path(sys.executable).with_name("triptych"))
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
    with running_hub() as hub, (tmp / "err").open("w") as err:
        hub.add("immich-app/ViT-B-32__openai", CHECKOUT.demo_weights)
        hub.add("immich-app/buffalo_l", CHECKOUT.demo_faces)
        ports = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]
        command = [TRIPTYCH, "serve", "--repository", str(repository.root), "--log-file", str(tmp / "triton.log"), *ports]
        environment = hub_environment(hub, tmp / "cache", **VARIABLES)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True, env=environment)
        try:
            lines = [process.stdout.readline() for _ in range(2)]
            assert "grpc://" in lines[1], (tmp / "err").read_text()
            with triton_grpc.InferenceServerClient(lines[1].strip().removeprefix("grpc://")) as client:
                yield (tmp / "err").read_text(), client, repository
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
