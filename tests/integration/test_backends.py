"""Our Python-based backends on the real Triton: batching across requests, each answered by itself, on every runtime a CPU can run."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from tritonclient.utils import InferenceServerException

from tests.support import runnable
from tests.support.serving import add_model, empty_repository, options
from triptych_server.engine import Engine

SHAPES = """
backend: "{backend}"
default_model_filename: "model.onnx"
max_batch_size: 8
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
dynamic_batching {{
  max_queue_delay_microseconds: 100000
  default_queue_policy {{ max_queue_size: 64 default_timeout_microseconds: 60000000 allow_timeout_override: true }}
}}
"""
DOUBLER = 'input [ { name: "x" data_type: TYPE_UINT8 dims: [ 4 ] } ]\noutput [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]'
TABLE = 'input [ { name: "index" data_type: TYPE_INT32 dims: [ 1 ] } ]\noutput [ { name: "row" data_type: TYPE_FP32 dims: [ 1, 2 ] } ]'
WARMUP = """
model_warmup { name: "batch of 1" batch_size: 1 inputs { key: "x" value { data_type: TYPE_UINT8 dims: [ 4 ] zero_data: true } } }
model_warmup { name: "batch of 8" batch_size: 8 inputs { key: "x" value { data_type: TYPE_UINT8 dims: [ 4 ] zero_data: true } } }
"""
BACKENDS = ("onnxruntime", "openvino")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("backends")
    repository = empty_repository(tmp / "repository")
    for backend in BACKENDS:
        add_model(repository, f"{backend}_doubler", SHAPES.format(backend=backend) + DOUBLER, runnable.doubler)
    add_model(repository, "table", SHAPES.format(backend="onnxruntime") + TABLE, runnable.table)
    add_model(repository, "warmed", SHAPES.format(backend="onnxruntime") + DOUBLER + WARMUP, runnable.doubler)
    with Engine(options(repository, tmp)) as engine, triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://")) as client:
        yield client


def infer(client, model, name, array, output):
    tensor = triton_grpc.InferInput(name, array.shape, {"uint8": "UINT8", "int32": "INT32"}[array.dtype.name])
    tensor.set_data_from_numpy(array)
    return client.infer(model, [tensor]).as_numpy(output)


def statistics(client, model):
    time.sleep(0.3)  # Triton counts a request shortly after it has been answered
    stats = client.get_inference_statistics(model).model_stats[0]
    return stats.inference_count, stats.execution_count


@pytest.mark.parametrize("backend", BACKENDS)
def test_requests_are_batched_and_everyone_gets_his_own_rows(client, backend):
    model = f"{backend}_doubler"
    rows = [np.random.default_rng(seed).integers(0, 256, (1 + seed % 3, 4), dtype=np.uint8) for seed in range(48)]
    before = statistics(client, model)
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda x: infer(client, model, "x", x, "y"), rows))
    for x, y in zip(rows, answers, strict=True):
        np.testing.assert_array_equal(y, x * np.float32(2))
    after = statistics(client, model)
    inferences, executions = after[0] - before[0], after[1] - before[1]
    assert inferences == sum(len(x) for x in rows)
    assert executions < len(rows) / 2


def test_a_model_is_warmed_before_it_is_ready(client):
    """As the profiles of compiling runtimes want it: a run of each batch that they compile for."""
    assert statistics(client, "warmed") == (1 + 8, 2)


def test_one_bad_request_never_fails_its_neighbours(client):
    before = statistics(client, "table")[1]

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
    assert statistics(client, "table")[1] - before < len(values)  # they did share batches


SLOW = """
import time
import triton_python_backend_utils as pb_utils
class TritonPythonModel:
    def execute(self, requests):
        time.sleep(0.5)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", pb_utils.get_input_tensor_by_name(r, "x").as_numpy())]) for r in requests]
"""
SLOW_CONFIG = """
backend: "python"
max_batch_size: 1
input [ { name: "x" data_type: TYPE_UINT8 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_UINT8 dims: [ 4 ] } ]
instance_group [ { kind: KIND_CPU count: 1 } ]
dynamic_batching { default_queue_policy { max_queue_size: 2 default_timeout_microseconds: 60000000 allow_timeout_override: true } }
"""
THROUGH = """
platform: "ensemble"
max_batch_size: 1
input [ { name: "x" data_type: TYPE_UINT8 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_UINT8 dims: [ 4 ] } ]
ensemble_scheduling { step [ { model_name: "slow" model_version: -1
  input_map { key: "x" value: "x" } output_map { key: "y" value: "y" } } ] }
"""


def test_a_full_queue_is_refused_at_once_through_an_ensemble_too(tmp_path):
    repository = empty_repository(tmp_path / "repository")
    add_model(repository, "slow", SLOW_CONFIG, code=SLOW, where="python_models")
    add_model(repository, "doubler", SHAPES.format(backend="onnxruntime") + DOUBLER, runnable.doubler)
    add_model(repository, "through", THROUGH, where="ensembles")
    with (
        Engine(options(repository, tmp_path)) as engine,
        triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://")) as client,
    ):

        def ask(index):
            started = time.monotonic()
            try:
                infer(client, ("slow", "through")[index % 2], "x", np.zeros((1, 4), np.uint8), "y")
                return "served", time.monotonic() - started
            except InferenceServerException as error:
                return error.status(), time.monotonic() - started

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(ask, range(16)))
    refused = [seconds for status, seconds in answers if status == "StatusCode.UNAVAILABLE"]
    served = [seconds for status, seconds in answers if status == "served"]
    assert len(refused) + len(served) == 16, answers
    assert 1 <= len(served) <= 6
    assert np.median(refused) < max(served)


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
