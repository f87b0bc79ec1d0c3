"""Our Python-based backends on the real Triton: batching across requests, each answered by itself, on every runtime a CPU can run."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from tritonclient.utils import InferenceServerException

from tests.support import runnable
from tests.support.prometheus import batches, counter
from tests.support.serving import CHECKOUT, add_model, empty_repository, serving
from triptych_server.configs.read import read_config

SHAPES = """
backend: "{backend}"
default_model_filename: "model.onnx"
max_batch_size: 8
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
dynamic_batching {{ max_queue_delay_microseconds: 100000 }}
parameters {{ key: "max_waiting" value {{ string_value: "64" }} }}
"""
DOUBLER = 'input [ { name: "x" data_type: TYPE_UINT8 dims: [ 4 ] } ]\noutput [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]'
TABLE = 'input [ { name: "index" data_type: TYPE_INT32 dims: [ 1 ] } ]\noutput [ { name: "row" data_type: TYPE_FP32 dims: [ 1, 2 ] } ]'
WARMUP = """
model_warmup { name: "batch of 1" batch_size: 1 inputs { key: "x" value { data_type: TYPE_UINT8 dims: [ 4 ] zero_data: true } } }
model_warmup { name: "batch of 8" batch_size: 8 inputs { key: "x" value { data_type: TYPE_UINT8 dims: [ 4 ] zero_data: true } } }
"""
BACKENDS = ("onnxruntime", "openvino")


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    repository = empty_repository(tmp_path_factory.mktemp("backends") / "repository")
    for backend in BACKENDS:
        add_model(repository, f"{backend}_doubler", SHAPES.format(backend=backend) + DOUBLER, runnable.doubler)
    add_model(repository, "table", SHAPES.format(backend="onnxruntime") + TABLE, runnable.table)
    add_model(repository, "warmed", SHAPES.format(backend="onnxruntime") + DOUBLER + WARMUP, runnable.doubler)
    return repository


@pytest.fixture(scope="module")
def engine(repository, tmp_path_factory):
    with serving(repository, tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(engine):
    with triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://")) as client:
        yield client


def infer(client, model, name, array, output):
    tensor = triton_grpc.InferInput(name, array.shape, {"uint8": "UINT8", "int32": "INT32"}[array.dtype.name])
    tensor.set_data_from_numpy(array)
    return client.infer(model, [tensor]).as_numpy(output)


@pytest.mark.parametrize("backend", BACKENDS)
def test_requests_are_batched_and_everyone_gets_his_own_rows(engine, client, backend):
    model = f"{backend}_doubler"
    rows = [np.random.default_rng(seed).integers(0, 256, (1 + seed % 3, 4), dtype=np.uint8) for seed in range(48)]
    before = batches(engine.metrics_url, model)
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda x: infer(client, model, "x", x, "y"), rows))
    for x, y in zip(rows, answers, strict=True):
        np.testing.assert_array_equal(y, x * np.float32(2))
    after = batches(engine.metrics_url, model)
    assert after[0] - before[0] == sum(len(x) for x in rows)
    assert after[1] - before[1] < len(rows) / 2


def test_the_metrics_of_a_model_outlive_its_reload(repository, engine, client):
    """The new instance starts while the old one lives: had they the same labels, Triton would free its counters with the old one's, and
    write into what it has freed."""
    config = repository.model("table") / "config.pbtxt"
    config.write_text(config.read_text().replace('"64"', '"63"'))  # a change that makes new instances
    client.load_model("table", headers=engine.control_headers)
    index = np.array([[1]], dtype=np.int32)
    infer(client, "table", "index", index, "row")
    deadline = time.monotonic() + 60
    while "successfully unloaded 'table'" not in engine.log_file.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)  # until the old instance has ended
    assert counter(engine.metrics_url, "triptych_device_info", model="table") == 1
    before = batches(engine.metrics_url, "table")
    infer(client, "table", "index", index, "row")
    assert batches(engine.metrics_url, "table") == (before[0] + 1, before[1] + 1)


def test_a_model_is_warmed_before_it_is_ready(engine):
    """As the profiles of compiling runtimes want it: a run of each batch that they compile for."""
    assert batches(engine.metrics_url, "warmed") == (1 + 8, 2)


def test_one_bad_request_never_fails_its_neighbours(engine, client):

    def ask(value):
        try:
            return infer(client, "table", "index", np.array([[value]], np.int32), "row")
        except InferenceServerException as error:
            return error

    values = [0, 1, 99, 2, 3, -99, 1, 0] * 4
    with ThreadPoolExecutor(len(values)) as pool:
        answers = list(pool.map(ask, values))
    for value, answer in zip(values, answers, strict=True):
        if value in range(4):
            np.testing.assert_array_equal(answer, [[[2 * value, 2 * value + 1]]])
        else:
            assert "StatusCode.INTERNAL" in answer.status()
            assert answer.message() == "table failed on this request (InvalidArgument); the server's log has the details"
    log = engine.options.log_file.read_text()
    assert re.search(r"table_0_0: a batch of \d+ requests failed, running them one by one", log)  # they did share batches


SLOW = """
import time
from triptych_server.serving.mapped import MappedModel
class TritonPythonModel(MappedModel):
    def prepare(self, instance, parameters):
        def answer(inputs):
            time.sleep(0.02)
            return {"y": inputs["x"]}
        return answer
"""
SLOW_CONFIG = """
backend: "python"
max_batch_size: 8
input [ { name: "x" data_type: TYPE_UINT8 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_UINT8 dims: [ 4 ] } ]
instance_group [ { kind: KIND_CPU count: 1 } ]
parameters { key: "max_waiting" value { string_value: "4" } }
"""
THROUGH = """
platform: "ensemble"
max_batch_size: 1
input [ { name: "x" data_type: TYPE_UINT8 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_UINT8 dims: [ 4 ] } ]
ensemble_scheduling { step [ { model_name: "slow" model_version: -1
  input_map { key: "x" value: "x" } output_map { key: "y" value: "y" } } ] }
"""


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A model that takes 20 ms for each request, one at a time, batched as those of the repository are; and an ensemble around it."""
    tmp = tmp_path_factory.mktemp("slow")
    repository = empty_repository(tmp / "repository")
    batching = read_config(CHECKOUT.model("clip_visual") / "config.pbtxt").dynamic_batching
    add_model(repository, "slow", f"{SLOW_CONFIG} dynamic_batching {{ {batching} }}", code=SLOW, where="python_models")
    add_model(repository, "through", THROUGH, where="ensembles")
    with serving(repository, tmp) as engine:
        yield engine


def asked(client, model="slow", value=0, **more):
    """How it ended, and after how many seconds."""
    tensor = triton_grpc.InferInput("x", [1, 4], "UINT8")
    tensor.set_data_from_numpy(np.full((1, 4), value, np.uint8))
    started = time.monotonic()
    try:
        client.infer(model, [tensor], **more)
        return "served", time.monotonic() - started
    except InferenceServerException as error:
        return error.message(), time.monotonic() - started


def test_a_burst_waits_for_its_turn_and_for_nothing_else(slow):
    """Triton's batcher, given a bound, a time limit or priorities, answers most of these after half a second."""
    with triton_grpc.InferenceServerClient(slow.grpc_url.removeprefix("grpc://")) as client, ThreadPoolExecutor(3) as pool:
        bursts = [list(pool.map(lambda _: asked(client), range(3))) for _ in range(20)]
    worst = [max(seconds for _, seconds in burst) for burst in bursts]
    assert all(how == "served" for burst in bursts for how, _ in burst)
    assert sum(seconds > 0.3 for seconds in worst) <= 1, worst  # 0.06 is needed; one may meet a busy machine


def test_a_full_queue_is_refused_at_once_through_an_ensemble_too(slow):
    before = counter(slow.metrics_url, "triptych_refused_total", model="slow")
    with triton_grpc.InferenceServerClient(slow.grpc_url.removeprefix("grpc://")) as client, ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda index: asked(client, ("slow", "through")[index % 2]), range(24)))
    served = [seconds for how, seconds in answers if how == "served"]
    refused = [seconds for how, seconds in answers if "slow has 4 requests waiting already; ask again later" in how]
    assert len(refused) + len(served) == 24, answers
    assert len(served) >= 4
    assert refused
    assert np.median(refused) < max(served)
    assert counter(slow.metrics_url, "triptych_refused_total", model="slow") == before + len(refused)


def test_a_request_waits_no_longer_than_its_client_asks(slow):
    with triton_grpc.InferenceServerClient(slow.grpc_url.removeprefix("grpc://")) as client, ThreadPoolExecutor(4) as pool:
        others = [pool.submit(asked, client) for _ in range(3)]
        time.sleep(0.01)
        how, _ = asked(client, timeout=5000)
        assert "Request timeout expired" in how
        assert all(other.result()[0] == "served" for other in others)


@pytest.mark.parametrize("model", ["slow", "through"])
def test_urgent_requests_go_first(slow, model):
    """Through an ensemble too, which hands parameters on."""
    with triton_grpc.InferenceServerClient(slow.grpc_url.removeprefix("grpc://")) as client, ThreadPoolExecutor(5) as pool:
        others = [pool.submit(asked, client, model) for _ in range(4)]
        time.sleep(0.01)
        how, seconds = asked(client, model, parameters={"triptych_priority": 1})
        assert how == "served"
        assert seconds < max(other.result()[1] for other in others)


@pytest.mark.parametrize("backend", BACKENDS)
def test_wrong_shapes_and_types_are_the_callers_error(client, backend):
    model = f"{backend}_doubler"
    for array, words in [
        (np.zeros((1, 5), np.uint8), "unexpected shape"),
        (np.zeros((1, 4), np.int32), "data-type"),
        (np.zeros((9, 4), np.uint8), "batch-size must be <= 8"),
    ]:
        with pytest.raises(InferenceServerException, match=words) as failure:
            infer(client, model, "x", array, "y")
        assert "INVALID_ARGUMENT" in failure.value.status()
