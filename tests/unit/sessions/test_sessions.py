"""Both runtimes of a CPU behind one protocol: right numbers, honest devices, safe from many threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.support import runnable
from triptych_server.errors import ConfigError, DeviceError
from triptych_server.sessions import SessionSettings
from triptych_server.sessions import onnxruntime as ort_session
from triptych_server.sessions import openvino as ov_session
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import Accelerator

OPENERS = {"onnxruntime": ort_session.open_session, "openvino": ov_session.open_session}


def settings(graph, parameters=None, **more):
    return SessionSettings("net", graph, parameters=Parameters(parameters or {}), **more)


@pytest.fixture(params=OPENERS)
def opener(request):
    return OPENERS[request.param]


def test_runs_any_batch_size_and_describes_itself(opener, tmp_path):
    session = opener(settings(runnable.doubler(tmp_path / "g.onnx")))
    assert [(spec.name, spec.dtype, spec.shape) for spec in session.inputs] == [("x", np.uint8, (None, 4))]
    assert [(spec.name, spec.dtype, spec.shape) for spec in session.outputs] == [("y", np.float32, (None, 4))]
    assert session.device.actual == "CPU"
    for size in (1, 3, 2, 16):
        x = np.random.default_rng(size).integers(0, 256, (size, 4), dtype=np.uint8)
        with session.run({"x": x}) as outputs:
            np.testing.assert_array_equal(outputs["y"], x * np.float32(2))
    session.close()


def test_threads_never_get_each_others_results(opener, tmp_path):
    session = opener(settings(runnable.doubler(tmp_path / "g.onnx")))

    def check(value):
        x = np.full((1 + value % 5, 4), value % 256, np.uint8)
        with session.run({"x": x}) as outputs:
            return np.array_equal(outputs["y"], x * np.float32(2))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, range(500)))
    session.close()


def test_a_failed_run_leaves_the_session_usable(opener, tmp_path):
    session = opener(settings(runnable.doubler(tmp_path / "g.onnx")))
    for _ in range(2 * session.concurrency):
        with pytest.raises(Exception), session.run({"x": np.zeros((1, 5), np.uint8)}):  # noqa: B017 the runtime's own
            pass
    with session.run({"x": np.ones((1, 4), np.uint8)}) as outputs:
        assert outputs["y"].sum() == 8
    session.close()


@pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)
def test_a_typo_in_a_parameter_is_an_error(opener, tmp_path):
    with pytest.raises(ConfigError, match="does not know parameter num_thread; it knows"):
        opener(settings(runnable.doubler(tmp_path / "g.onnx"), {"num_thread": "2"}))


@pytest.mark.parametrize(("hint", "reported"), [("f32", "f32"), ("bf16", "bf16")])
def test_openvino_runs_the_precision_that_was_asked_for(tmp_path, hint, reported):
    if hint == "bf16" and "BF16" not in ov_session._openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bf16")
    graph = runnable.matmul(tmp_path / "g.onnx")
    session = ov_session.open_session(settings(graph, {"INFERENCE_PRECISION_HINT": hint}))
    x = np.random.default_rng(1).standard_normal((2, 256), dtype=np.float32)
    with ort_session.open_session(settings(graph)).run({"x": x}) as exact, session.run({"x": x}) as outputs:
        error = np.abs(outputs["y"] - exact["y"]).max()
    assert session.device.precision == reported
    assert error < 1e-4 if hint == "f32" else 1e-4 < error < 1


def test_openvino_reports_bf16_by_default_where_the_cpu_has_it(tmp_path):
    capable = "BF16" in ov_session._openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    session = ov_session.open_session(settings(runnable.matmul(tmp_path / "g.onnx")))
    assert session.device.precision == ("bf16" if capable else "f32")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"NUM_STREAMS": "2", "PERFORMANCE_HINT": "LATENCY"}, "keep one of them"),
        ({"INFERENCE_PRECISION_HINT": "f8"}, "expected one of f32, bf16, f16"),
        ({"INFERENCE_NUM_THREADS": "many"}, "INFERENCE_NUM_THREADS"),
        ({"PERFORMANCE_HINT": "FAST"}, "PERFORMANCE_HINT"),
    ],
)
def test_openvino_refuses_options_with_a_reason(tmp_path, parameters, message):
    with pytest.raises(ConfigError, match=message):
        ov_session.open_session(settings(runnable.doubler(tmp_path / "g.onnx"), parameters))


def test_openvino_honours_streams_and_threads(tmp_path):
    graph = runnable.doubler(tmp_path / "g.onnx")
    two = ov_session.open_session(settings(graph, {"NUM_STREAMS": "2", "INFERENCE_NUM_THREADS": "2"}))
    one = ov_session.open_session(settings(graph, {"NUM_STREAMS": "1"}))
    assert (one.concurrency, two.concurrency) == (2, 3)


@pytest.mark.parametrize("device", ["GPU", "NPU", "GPU.1", "AUTO:GPU", "HETERO:GPU,CPU"])
def test_openvino_without_the_device_says_what_is_there(tmp_path, device):
    there = ov_session._openvino().Core().available_devices
    if device.rsplit(":", 1)[-1].split(",")[0] in there:
        pytest.skip(f"this machine has {device}")
    graph = runnable.doubler(tmp_path / "g.onnx")
    with pytest.raises(DeviceError, match=f"asked for {device} but sees only .*CPU"):
        ov_session.open_session(settings(graph, {"TARGET_DEVICE": device}))
    allowed = ov_session.open_session(settings(graph, {"TARGET_DEVICE": device, "allow_fallback": "true"})).device
    assert (allowed.requested, allowed.actual) == (device, "CPU")
    assert f"asked for {device}" in allowed.fallback


@pytest.mark.parametrize("device", ["AUTO", "AUTO:CPU", "HETERO:CPU"])
def test_openvino_virtual_devices_tell_where_they_run(tmp_path, device):
    session = ov_session.open_session(settings(runnable.doubler(tmp_path / "g.onnx"), {"TARGET_DEVICE": device}))
    assert (session.device.requested, session.device.actual) == (device, "CPU")


GPU = {"kind": "GPU", "gpu_accelerators": (Accelerator("tensorrt", Parameters({"precision_mode": "FP16"})),)}


@pytest.mark.parametrize(
    ("more", "provider"),
    [
        (GPU, "TensorrtExecutionProvider"),
        ({"kind": "GPU"}, "CUDAExecutionProvider"),
        ({"kind": "GPU", "gpu_accelerators": (Accelerator("migraphx", Parameters({})),)}, "MIGraphXExecutionProvider"),
        ({"cpu_accelerators": (Accelerator("openvino", Parameters({})),)}, "OpenVINOExecutionProvider"),
    ],
)
def test_onnxruntime_never_falls_back_in_silence(tmp_path, more, provider):
    import onnxruntime

    if provider in onnxruntime.get_available_providers():
        pytest.skip(f"this onnxruntime has {provider}")
    graph = runnable.doubler(tmp_path / "g.onnx")
    with pytest.raises(
        DeviceError,
        match=f"{provider} was asked for, but this onnxruntime has only .*(triptych doctor --profile|install onnxruntime-openvino)",
    ):
        ort_session.open_session(settings(graph, **more))
    device = ort_session.open_session(settings(graph, {"allow_fallback": "true"}, **more)).device
    assert device.actual == "CPU"
    assert provider in device.fallback


def test_onnxruntime_honours_thread_counts_and_graph_level(tmp_path):
    import onnxruntime

    from triptych_server.sessions.onnxruntime_options import session_options

    options = session_options(
        onnxruntime,
        settings(
            tmp_path / "g.onnx",
            {"intra_op_thread_count": "3", "inter_op_thread_count": "2", "execution_mode": "1", "enable_mem_arena": "0"},
            graph_level=2,
        ),
    )
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 2)
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_PARALLEL
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    assert not options.enable_cpu_mem_arena
