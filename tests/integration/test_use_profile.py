"""Another profile under a running Triton: models run in its runtime, no request fails, and what does not load changes nothing."""

import re
import threading
import time

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc

from tests.support import runnable
from tests.support.serving import add_model, empty_repository, serving
from triptych_server.engine import http_api
from triptych_server.engine.running import running_engines
from triptych_server.errors import ConfigError, EngineError
from triptych_server.models.use_profile import use_profile

TENSORS = """
max_batch_size: 8
input [ {{ name: "x" data_type: TYPE_UINT8 dims: [ 4 ] }} ]
output [ {{ name: "y" data_type: TYPE_FP32 dims: [ {dim} ] }} ]
"""
NETWORK = 'backend: "{backend}"\ndefault_model_filename: "model.onnx"\ninstance_group [ {{ kind: KIND_CPU count: 1 }} ]' + TENSORS
STEP = '{ model_name: "net" model_version: -1 input_map { key: "x" value: "x" } output_map { key: "y" value: "y" } }'
PROFILES = {"openvino": ("openvino", 4), "cuda": ("openvino", 5)}  # what the second says of the graph is wrong


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("profiles")
    repository = empty_repository(tmp / "repository")
    folder = add_model(repository, "net", NETWORK.format(backend="onnxruntime", dim=4), runnable.doubler)
    (folder / "configs").mkdir()
    for profile, (backend, dim) in PROFILES.items():
        (folder / "configs" / f"{profile}.pbtxt").write_text('name: "net"\n' + NETWORK.format(backend=backend, dim=dim))
    ensemble = f'platform: "ensemble"\n{TENSORS.format(dim=4)}\nensemble_scheduling {{ step [ {STEP} ] }}'
    add_model(repository, "through", ensemble, where="ensembles")
    other = add_model(repository, "another", NETWORK.format(backend="onnxruntime", dim=4), runnable.doubler)  # loads before net
    (other / "configs").mkdir()
    (other / "configs" / "cuda.pbtxt").write_text('name: "another"\n' + NETWORK.format(backend="openvino", dim=4))
    with serving(repository, tmp) as running:
        yield running


class Asking:
    """Four threads that ask without a pause until the block ends."""

    def __init__(self, engine):
        self.address = engine.grpc_url.removeprefix("grpc://")
        self.answers, self.errors, self.stopped = [], [], threading.Event()
        self.threads = [threading.Thread(target=self.ask) for _ in range(4)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, *_):
        self.wait_for_more()
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def wait_for_more(self):
        enough = len(self.answers) + 40
        while len(self.answers) < enough and not self.errors:
            time.sleep(0.01)

    def ask(self):
        with triton_grpc.InferenceServerClient(self.address) as client:
            x = triton_grpc.InferInput("x", [1, 4], "UINT8")
            x.set_data_from_numpy(np.full((1, 4), 3, np.uint8))
            while not self.stopped.is_set():
                try:
                    self.answers.append(client.infer("through", [x], client_timeout=60).as_numpy("y").tolist())
                except Exception as error:
                    self.errors.append(error)


def backend(engine, model="net"):
    with triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://")) as client:
        return client.get_model_config(model).config.backend


def profile_in_metrics(engine):
    """Those of `net`, once the one that has just been unloaded is gone."""
    pattern = r'^triptych_device_info\{(?=.*model="net")[^}]*profile="(\w+)"'
    deadline = time.monotonic() + 60
    while len(found := re.findall(pattern, http_api.text(engine.metrics_url, {}, 30), re.MULTILINE)) != 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def noted(engine):
    return [each.profile for each in running_engines(engine.options.repository).reachable]


def test_no_request_fails_on_the_way_there_and_back(engine):
    repository = engine.options.repository
    with Asking(engine) as asking:
        assert use_profile(repository, "openvino") == [engine.http_url]
        assert (backend(engine), noted(engine)) == ("openvino", ["openvino"])
        asking.wait_for_more()
        assert profile_in_metrics(engine) == ["openvino"]
        use_profile(repository, "cpu")
        assert (backend(engine), noted(engine)) == ("onnxruntime", ["cpu"])
        assert profile_in_metrics(engine) == ["cpu"]
    assert asking.errors == []
    assert all(answer == [[6, 6, 6, 6]] for answer in asking.answers)


def test_a_profile_that_does_not_load_changes_nothing(engine):
    with Asking(engine) as asking:
        with pytest.raises(EngineError, match=r"stays with the profile cpu: net could not be loaded: .*y has dims \[5\]"):
            use_profile(engine.options.repository, "cuda")
        with pytest.raises(ConfigError, match="nonsense"):
            use_profile(engine.options.repository, "nonsense")
    assert asking.errors == []
    assert backend(engine, "another") == "onnxruntime"
    assert (backend(engine), noted(engine)) == ("onnxruntime", ["cpu"])


def test_a_server_that_is_started_anew_keeps_the_profile(engine):
    use_profile(engine.options.repository, "openvino")
    engine.restart()
    assert (backend(engine), noted(engine)) == ("openvino", ["openvino"])
    engine.control.unload("net")
    engine.load("net", 60)
    assert backend(engine) == "openvino"
