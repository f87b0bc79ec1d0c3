"""OpenVINO's automatic batching, streams, precisions and contradictory options, on the real runtime."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.support import runnable
from tests.support.graphs import write_graph
from triptych_server.errors import ConfigError, DeviceError
from triptych_server.sessions import SessionSettings
from triptych_server.sessions.openvino import open_session
from triptych_server.sessions.openvino_options import CompileOptions
from triptych_server.sessions.openvino_runs import GatheredRows
from triptych_server.sessions.parameters import Parameters

LONG_MS = 400


def settings(graph, **parameters):
    return SessionSettings("net", graph, max_batch_size=16, parameters=Parameters(parameters))


@pytest.fixture
def matmul(tmp_path):
    return runnable.matmul(tmp_path / "g.onnx")


def answer(session, x):
    with session.run({"x": x}) as outputs:
        return outputs["y"].copy()


def rows(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 256), dtype=np.float32)


def test_rows_come_back_in_order_whatever_their_number(matmul):
    whole = open_session(settings(matmul, INFERENCE_PRECISION_HINT="f32"))
    gathering = open_session(settings(matmul, INFERENCE_PRECISION_HINT="f32", TARGET_DEVICE="BATCH:CPU(4)"))
    assert gathering.device.requested == "BATCH:CPU(4)"
    assert (gathering.device.actual, gathering.device.precision) == ("CPU", "f32")
    assert gathering.inputs == whole.inputs  # to its callers the batch is as free as ever
    assert gathering.outputs == whole.outputs
    for count in (1, 3, 4, 9, 16):
        x = rows(count, seed=count)
        np.testing.assert_allclose(answer(gathering, x), answer(whole, x), atol=1e-3)


def test_openvino_really_waits_for_a_batch_and_runs_it_when_it_is_full(matmul):
    session = open_session(settings(matmul, TARGET_DEVICE="BATCH:CPU(4)", AUTO_BATCH_TIMEOUT=str(LONG_MS)))
    answer(session, rows(4))  # the first run makes memory ready

    def seconds(count):
        start = time.perf_counter()
        answer(session, rows(count))
        return time.perf_counter() - start

    assert seconds(4) < 0.9 * LONG_MS / 1000
    assert seconds(8) < 0.9 * LONG_MS / 1000
    assert seconds(3) >= 0.9 * LONG_MS / 1000


def test_callers_with_single_rows_fill_a_batch_together(matmul):
    session = open_session(settings(matmul, TARGET_DEVICE="BATCH:CPU(4)", AUTO_BATCH_TIMEOUT=str(LONG_MS)))
    assert session.concurrency >= 4
    start = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seed: answer(session, rows(1, seed)), range(4)))
    assert time.perf_counter() - start < 0.9 * LONG_MS / 1000


def test_a_lone_row_does_not_wait_for_openvinos_own_second(matmul):
    session = open_session(settings(matmul, TARGET_DEVICE="BATCH:CPU(8)"))
    answer(session, rows(1))
    start = time.perf_counter()
    answer(session, rows(1))
    assert time.perf_counter() - start < 0.5


def test_threads_never_get_each_others_rows(tmp_path):
    session = open_session(settings(runnable.doubler(tmp_path / "g.onnx"), TARGET_DEVICE="BATCH:CPU(4)"))

    def check(value):
        x = np.full((1 + value % 7, 4), value % 256, np.uint8)
        return np.array_equal(answer(session, x), x * np.float32(2))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, range(300)))
    session.close()


def test_a_failed_run_gives_its_requests_back(matmul):
    session = open_session(settings(matmul, INFERENCE_PRECISION_HINT="f32", TARGET_DEVICE="BATCH:CPU(2)"))
    for _ in range(3 * session.concurrency):
        with pytest.raises(Exception), session.run({"x": np.zeros((3, 5), np.float32)}):  # noqa: B017 the runtime's own
            pass
    assert answer(session, rows(5)).shape == (5, 256)


def test_a_fixed_batch_axis_is_an_error(tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    graph = write_graph(tmp_path / "g.onnx", nodes, weights={}, inputs=[("x", TensorProto.FLOAT, [1, 4])], output=("y", [1, 4]))
    with pytest.raises(ConfigError, match="BATCH wants a graph with a dynamic batch axis, and that of x is fixed"):
        open_session(settings(graph, TARGET_DEVICE="BATCH:CPU(4)"))


def test_a_graph_that_openvino_would_not_batch_is_an_error(tmp_path):
    """It sums over the batch, so that rows cannot be put together; OpenVINO would run them one by one and say nothing."""
    nodes = [helper.make_node("ReduceSum", ["x", "axis"], ["y"], keepdims=1)]
    weights = {"axis": np.array([0], np.int64)}
    graph = write_graph(tmp_path / "g.onnx", nodes, weights=weights, inputs=[("x", TensorProto.FLOAT, ["batch", 4])], output=("y", [1, 4]))
    with pytest.raises(DeviceError, match="batches of 4 were asked for, but OpenVINO would keep 1 requests and never fill one"):
        open_session(settings(graph, TARGET_DEVICE="BATCH:CPU(4)"))


def test_too_few_requests_are_noticed_before_any_is_made():
    with pytest.raises(DeviceError, match="batches of 8 were asked for"):
        GatheredRows(compiled=None, name="net", rows=8, optimal=1)


def test_a_device_that_is_not_there_is_named_and_may_fall_back_to_whole_batches(matmul):
    wanted = settings(matmul, TARGET_DEVICE="BATCH:GPU(8)")
    try:
        open_session(wanted)
        pytest.skip("this machine has a GPU")
    except DeviceError as error:
        assert "asked for BATCH:GPU(8) but sees only" in str(error)
        assert "driver of GPU" in str(error)
    session = open_session(settings(matmul, TARGET_DEVICE="BATCH:GPU(8)", allow_fallback="true"))
    assert (session.device.actual, session.concurrency) == ("CPU", 2)
    assert answer(session, rows(3)).shape == (3, 256)


def test_streams_share_one_instance(matmul):
    """As many runs at once as there are streams, and one that waits."""
    assert open_session(settings(matmul, NUM_STREAMS="2")).concurrency == 3
    assert open_session(settings(matmul, PERFORMANCE_HINT="THROUGHPUT", PERFORMANCE_HINT_NUM_REQUESTS="1")).concurrency == 2


@pytest.mark.parametrize("hint", ["f32", "bf16", "f16"])
def test_a_precision_is_given_or_refused_but_never_another(matmul, hint):
    exact = rows(4) @ weights()
    try:
        session = open_session(settings(matmul, INFERENCE_PRECISION_HINT=hint))
    except DeviceError as error:
        assert f"asked for precision {hint} but runs" in str(error)
        assert hint != "f32"
    else:
        assert session.device.precision == hint
        error = np.abs(answer(session, rows(4)) - exact).max()
        assert error < 1e-3 if hint == "f32" else 1e-3 < error < 1


def weights():
    return np.random.default_rng(0).standard_normal((256, 256), dtype=np.float32)


@pytest.mark.parametrize("device", ["AUTO:CPU", "HETERO:CPU", "MULTI:CPU"])
def test_properties_of_the_devices_below_are_passed_on(matmul, device):
    session = open_session(settings(matmul, TARGET_DEVICE=device, DEVICE_PROPERTIES="{CPU:{NUM_STREAMS:2}}"))
    assert (session.device.actual, session.concurrency) == ("CPU", 3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"NUM_STREAMS": "2", "PERFORMANCE_HINT": "LATENCY"}, "both set, .*keep one of them"),
        ({"PERFORMANCE_HINT": "UNDEFINED"}, "PERFORMANCE_HINT is 'UNDEFINED'; expected one of LATENCY, THROUGHPUT"),
        ({"PERFORMANCE_HINT_NUM_REQUESTS": "4"}, "PERFORMANCE_HINT_NUM_REQUESTS bounds what PERFORMANCE_HINT chooses"),
        ({"PERFORMANCE_HINT": "CUMULATIVE_THROUGHPUT"}, "TARGET_DEVICE is CPU; set THROUGHPUT"),
        ({"AUTO_BATCH_TIMEOUT": "5"}, "AUTO_BATCH_TIMEOUT is for TARGET_DEVICE BATCH"),
        ({"TARGET_DEVICE": "BATCH:CPU"}, "'BATCH:CPU', which OpenVINO would run without batches; expected BATCH:DEVICE\\(N\\)"),
        ({"TARGET_DEVICE": "BATCH:CPU(1)"}, "N of at least 2"),
        ({"TARGET_DEVICE": "BATCH:CPU(x)"}, "N of at least 2"),
        ({"TARGET_DEVICE": "BATCH:AUTO:CPU(4)"}, "with one device, not one that chooses"),
        ({"TARGET_DEVICE": "MULTI"}, "expected its devices too, as in MULTI:GPU,CPU"),
        ({"CACHE_MODE": "OPTIMIZE_SIZE"}, "CACHE_MODE says how CACHE_DIR is used"),
        ({"DEVICE_PROPERTIES": "{CPU:{NUM_STREAMS:2}}"}, "set each property by its name"),
        ({"DEVICE_PROPERTIES": "{CPU:{NUM_STREAMS:2}}", "TARGET_DEVICE": "BATCH:CPU(4)"}, "set each property by its name"),
        ({"HINT_BF16": "yes", "INFERENCE_PRECISION_HINT": "f32"}, "HINT_BF16 is on and INFERENCE_PRECISION_HINT is f32"),
        ({"EXECUTION_MODE_HINT": "ACCURACY", "INFERENCE_PRECISION_HINT": "bf16"}, "keeps the graph's own precision"),
    ],
)
def test_contradictions_are_errors_that_say_which(tmp_path, parameters, message):
    with pytest.raises(ConfigError, match=f"^net: .*{message}"):
        CompileOptions.from_settings(settings(tmp_path / "g.onnx", **parameters))


def test_auto_batching_always_has_a_short_limit(tmp_path):
    options = CompileOptions.from_settings(settings(tmp_path / "g.onnx", TARGET_DEVICE="BATCH:GPU.1(8)"))
    assert (options.auto_batch, options.plain_device) == (8, "GPU.1")
    assert 0 < int(options.properties["AUTO_BATCH_TIMEOUT"]) <= 10
