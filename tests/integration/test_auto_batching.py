"""OpenVINO's automatic batching behind the real Triton: single requests of several clients share a run, with and without Triton's own batching."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc

from tests.support import runnable
from tests.support.serving import add_model, empty_repository, serving

LONG_S = 1.0
"""How long OpenVINO waits here for its batch of four: whoever is answered sooner was part of a full one."""
CONFIG = f"""
backend: "openvino"
default_model_filename: "model.onnx"
max_batch_size: 8
input [ {{ name: "x" data_type: TYPE_UINT8 dims: [ 4 ] }} ]
output [ {{ name: "y" data_type: TYPE_FP32 dims: [ 4 ] }} ]
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
parameters {{ key: "TARGET_DEVICE" value {{ string_value: "BATCH:CPU(4)" }} }}
parameters {{ key: "AUTO_BATCH_TIMEOUT" value {{ string_value: "{LONG_S * 1000:.0f}" }} }}
"""
TRITON_TOO = "dynamic_batching { preferred_batch_size: [ 4 ] max_queue_delay_microseconds: 300000 }"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("auto_batching")
    repository = empty_repository(tmp / "repository")
    add_model(repository, "alone", CONFIG, runnable.doubler)
    add_model(repository, "both", CONFIG + TRITON_TOO, runnable.doubler)
    with serving(repository, tmp) as engine, triton_grpc.InferenceServerClient(engine.grpc_url.removeprefix("grpc://")) as client:
        yield client


def ask(client, model, value):
    x = np.full((1, 4), value, np.uint8)
    tensor = triton_grpc.InferInput("x", x.shape, "UINT8")
    tensor.set_data_from_numpy(x)
    np.testing.assert_array_equal(client.infer(model, [tensor]).as_numpy("y"), x * np.float32(2))


def seconds(client, model, callers):
    start = time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(lambda value: ask(client, model, value), range(callers)))
    return time.perf_counter() - start


@pytest.mark.parametrize("model", ["alone", "both"])
def test_four_callers_share_a_run_and_three_wait_for_a_fourth(client, model):
    seconds(client, model, 4)  # the first run makes memory ready
    assert seconds(client, model, 4) < 0.9 * LONG_S
    assert seconds(client, model, 3) >= 0.9 * LONG_S
