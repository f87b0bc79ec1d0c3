"""Idle models on the real Triton: unloaded and loaded again, with the configs they were started with; requests under way are answered."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import tritonclient.grpc as triton_grpc
from tritonclient.utils import InferenceServerException

from tests.support import runnable
from tests.support.serving import add_model, empty_repository, options
from triptych.calls import INTERACTIVE, Call
from triptych.endpoint import Endpoint
from triptych.on_demand import infer, model_config
from triptych.transport import Connection, connect
from triptych_server.configs.overrides import Overrides
from triptych_server.engine import Engine
from triptych_server.engine.readiness import HealthApi
from triptych_server.errors import EngineError

SECONDS = 240
IO = """
max_batch_size: 8
input [ { name: "x" data_type: TYPE_UINT8 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]
"""
STUB = 'backend: "python"' + IO + "instance_group [ { kind: KIND_CPU count: 1 } ]"
STEP = '{{ model_name: "{0}" model_version: -1 input_map {{ key: "x" value: "{1}" }} output_map {{ key: "y" value: "{2}" }} }}'
GATE = """
import pathlib, time
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        started, gate = (pathlib.Path({folder!r}, name) for name in ("started", "gate"))
        started.touch()
        deadline = time.monotonic() + 240
        while not gate.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", r.inputs()[0].as_numpy().astype("float32"))]) for r in requests]
"""
CALLER = """
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb_utils.Tensor("x", request.inputs()[0].as_numpy().astype("uint8"))
            inner = pb_utils.InferenceRequest(model_name="doubler", requested_output_names=["y"], inputs=[x]).exec()
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("y", inner.output_tensors()[0].as_numpy())]))
        return answers
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("idle")


@pytest.fixture(scope="module")
def engine(folder):
    """`both`: a step that waits until a file is there, then one that calls `doubler` at run time, as no ensemble tells."""
    repository = empty_repository(folder / "repository")
    add_model(
        repository,
        "doubler",
        'backend: "onnxruntime" default_model_filename: "model.onnx"' + IO + "instance_group [ { kind: KIND_CPU count: 1 } ]",
        runnable.doubler,
    )
    add_model(repository, "gate", STUB, code=GATE.format(folder=str(folder)), where="python_models")
    called = 'parameters { key: "recognition_model" value { string_value: "doubler" } }'
    caller = STUB.replace("TYPE_UINT8", "TYPE_FP32") + called
    add_model(repository, "caller", caller, code=CALLER, where="python_models")
    steps = ", ".join([STEP.format("gate", "x", "held"), STEP.format("caller", "held", "y")])
    add_model(repository, "both", f'platform: "ensemble" {IO} ensemble_scheduling {{ step [ {steps} ] }}', where="ensembles")
    overrides = Overrides(parameters={"onnxruntime": {"intra_op_thread_count": "1"}})
    (folder / "gate").touch()
    with Engine(options(repository, folder, model_ttl=1, overrides=overrides)) as started:
        yield started


@pytest.fixture
def client(engine):
    with triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://")) as connected:
        yield connected


def until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def all_idle(engine):
    index = HealthApi(engine.http_url, engine.control_headers).index()
    idle = {model.name for model in index if (model.state, model.reason) == ("UNAVAILABLE", "unloaded")}
    return idle == {"both", "caller", "doubler", "gate"}


def ask(client, model="both"):
    tensor = triton_grpc.InferInput("x", [1, 4], "UINT8")
    tensor.set_data_from_numpy(np.arange(4, dtype=np.uint8)[None])
    return client.infer(model, [tensor], client_timeout=SECONDS).as_numpy("y")


def awake(client, question):
    """The answer once its model is loaded: on a slow machine it may be idle again by the time it is asked."""
    deadline = time.monotonic() + SECONDS
    while True:
        on_demand(client, "both", load=True)
        try:
            return question()
        except InferenceServerException as error:
            assert error.status() == "StatusCode.NOT_FOUND"
            assert time.monotonic() < deadline


def on_demand(client, model, load):
    inputs = [triton_grpc.InferInput("model", [1], "BYTES"), triton_grpc.InferInput("load", [1], "BOOL")]
    inputs[0].set_data_from_numpy(np.array([model.encode()], np.object_))
    inputs[1].set_data_from_numpy(np.array([load]))
    return json.loads(client.infer("on_demand", inputs, client_timeout=SECONDS).as_numpy("config").item())


def processes(engine):
    return len(psutil.Process(engine.pid).children(recursive=True))


def test_idle_models_give_back_their_processes(engine, client):
    until(lambda: all_idle(engine))
    until(lambda: processes(engine) == 1)  # on_demand's own
    assert client.is_server_ready()
    with pytest.raises(InferenceServerException, match="'both' has no available versions"):
        ask(client)


def test_a_config_can_be_had_without_a_load(engine, client):
    until(lambda: all_idle(engine))
    config = on_demand(client, "both", load=False)
    assert [step["model_name"] for step in config["ensemble_scheduling"]["step"]] == ["gate", "caller"]
    assert all_idle(engine)


def test_on_demand_all_that_a_model_needs_is_loaded(engine, client):
    until(lambda: all_idle(engine))
    assert on_demand(client, "both", load=True)["name"] == "both"
    np.testing.assert_array_equal(awake(client, lambda: ask(client)), [[0, 2, 4, 6]])
    config = awake(client, lambda: client.get_model_config("doubler")).config
    assert config.parameters["intra_op_thread_count"].string_value == "1"  # as it was started


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_our_clients_do_that_by_themselves(engine, protocol):
    until(lambda: all_idle(engine))
    transport = connect(Connection(Endpoint.parse(engine.grpc_url if protocol == "grpc" else engine.http_url)))
    call = Call("both", {"x": np.arange(4, dtype=np.uint8)[None]}, INTERACTIVE, ("y",))
    np.testing.assert_array_equal(infer(transport, call, SECONDS)["y"], [[0, 2, 4, 6]])
    assert model_config(transport, "both", {}, SECONDS)["name"] == "both"
    transport.close()


def test_what_never_was_loaded_is_not_found(client):
    for name in ("nobody", "../gate", ""):
        with pytest.raises(InferenceServerException, match="none of the models that were unloaded") as refused:
            on_demand(client, name, load=True)
        assert refused.value.status() == "StatusCode.NOT_FOUND"


def test_a_model_that_cannot_be_loaded_again_says_so(folder, engine, client):
    """Without a path, and for that request alone."""
    until(lambda: all_idle(engine))
    graph = folder / "repository" / "model_repository" / "doubler" / "1" / "model.onnx"
    graph.rename(graph.with_suffix(".away"))
    try:
        with pytest.raises(InferenceServerException, match="both is idle, and could not be loaded again: the server's log") as failed:
            on_demand(client, "both", load=True)
        assert failed.value.status() == "StatusCode.UNAVAILABLE"
    finally:
        graph.with_suffix(".away").rename(graph)
    np.testing.assert_array_equal(awake(client, lambda: ask(client)), [[0, 2, 4, 6]])


def test_a_request_under_way_outlives_the_unloading(folder, engine, client):
    """It is older than the time after which a model is idle, and its next steps are still there when it comes to them."""
    (folder / "started").unlink(missing_ok=True)
    (folder / "gate").unlink()
    with ThreadPoolExecutor(1) as pool:
        try:
            under_way = pool.submit(awake, client, lambda: ask(client))
            until((folder / "started").exists)
            until(lambda: engine.control.states()["both"] != "READY")
        finally:
            (folder / "gate").touch()
        np.testing.assert_array_equal(under_way.result(SECONDS), [[0, 2, 4, 6]])
    until(lambda: all_idle(engine))


def test_a_time_that_makes_no_sense_is_named(tmp_path):
    repository = empty_repository(tmp_path / "repository")
    for wrong in (-1, 0.5, float("nan")):
        with pytest.raises(EngineError, match="expected 0"):
            options(repository, tmp_path, model_ttl=wrong)
