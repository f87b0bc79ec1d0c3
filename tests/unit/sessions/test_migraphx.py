"""MIGraphX's session as far as there is no AMD GPU: a stand-in for onnxruntime grants the provider by name and computes on the CPU."""

from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from triptych_server.errors import ConfigError, InvalidInputError
from triptych_server.sessions import SessionSettings
from triptych_server.sessions import onnxruntime as session
from triptych_server.sessions.graph_rewrites import expand_prelu, pad_apart, rewritten_for_migraphx
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import Accelerator

SIDE, CHANNELS = 9, 4


@pytest.fixture
def graph(tmp_path):
    """A convolution that pads one side more, a PRelu with a slope per channel; weights in a sidecar."""
    random = np.random.default_rng(3)
    weights = {
        "kernel": random.normal(size=(CHANNELS, 3, 3, 3)).astype(np.float32),
        "slope": random.uniform(-0.5, 0.5, (CHANNELS, 1, 1)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["c"], pads=[0, 1, 2, 1], strides=[2, 2]),
        helper.make_node("PRelu", ["c", "slope"], ["p"]),
        helper.make_node("ReduceMean", ["p", "axes"], ["y"], keepdims=0),
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    constants.append(numpy_helper.from_array(np.array([2, 3]), "axes"))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", CHANNELS])
    model = helper.make_model(helper.make_graph(nodes, "g", [x], [y], constants), opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    file = tmp_path / "model.onnx"
    onnx.save_model(model, str(file), save_as_external_data=True, location="model.onnx.data", size_threshold=100)
    return file


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """What was opened: (path, providers with options, the batch that the file was made static for)."""
    calls = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    class Granted(onnxruntime.InferenceSession):
        def __init__(self, path, options, providers):
            nodes = [node.op_type for node in onnx.load(path, load_external_data=False).graph.node]
            super().__init__(path, options, providers=["CPUExecutionProvider"])
            calls.append((nodes, providers, self.get_inputs()[0].shape[0]))

        def get_providers(self):
            return ["MIGraphXExecutionProvider", "CPUExecutionProvider"]

    stand_in = SimpleNamespace(
        InferenceSession=Granted,
        get_available_providers=lambda: ["MIGraphXExecutionProvider", "CPUExecutionProvider"],
        __version__="1.27.1",
        SessionOptions=onnxruntime.SessionOptions,
        ExecutionMode=onnxruntime.ExecutionMode,
        GraphOptimizationLevel=onnxruntime.GraphOptimizationLevel,
    )
    monkeypatch.setattr(session, "_onnxruntime", lambda: stand_in)
    return calls


def migraphx(graph, batches="1,8", **options):
    accelerator = Accelerator("migraphx", Parameters({"migraphx_fp16_enable": "1", **options}))
    parameters = Parameters({"static_batches": batches} if batches else {})
    return SessionSettings("net", graph, max_batch_size=8, kind="MODEL", parameters=parameters, gpu_accelerators=(accelerator,))


def pictures(count):
    return np.random.default_rng(count).normal(size=(count, 3, SIDE, SIDE)).astype(np.float32)


def test_a_graph_is_compiled_for_few_batches_and_takes_any(graph, opened, tmp_path):
    plain = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    made = session.open_session(migraphx(graph))
    assert [batch for _, _, batch in opened] == [1, 8]
    for count in range(1, 9):
        with made.run({"x": pictures(count)}) as outputs:
            np.testing.assert_allclose(outputs["y"], plain.run(None, {"x": pictures(count)})[0], atol=1e-6)
    with pytest.raises(InvalidInputError, match="a batch of 9 was sent; the model takes up to 8"), made.run({"x": pictures(9)}):
        pass
    assert [spec.shape for spec in (*made.inputs, *made.outputs)] == [(None, 3, SIDE, SIDE), (None, CHANNELS)]
    assert (made.device.requested, made.device.actual, made.device.precision, made.device.fallback) == ("ROCm:0", "ROCm:0", "f16", "")
    made.close()


def test_what_it_computes_wrongly_is_written_otherwise(graph, opened):
    session.open_session(migraphx(graph)).close()
    nodes, _, _ = opened[0]
    assert "PRelu" not in nodes
    assert "Pad" in nodes


def test_compiled_programs_are_kept(graph, opened, tmp_path):
    session.open_session(migraphx(graph)).close()
    (name, options), _ = opened[0][1]
    assert name == "MIGraphXExecutionProvider"
    folder = tmp_path / "cache" / "triptych" / "engines" / "migraphx-unknown-onnxruntime-1.27.1" / "gpu"
    assert options["migraphx_model_cache_dir"].startswith(f"{folder}/net-")
    session.open_session(migraphx(graph, migraphx_model_cache_dir="/elsewhere")).close()
    assert opened[-1][1][0][1]["migraphx_model_cache_dir"] == "/elsewhere"


@pytest.mark.parametrize("batches", ["8,1", "1,4", "0,8", "one", "1,1,8"])
def test_batches_must_make_sense(graph, opened, batches):
    with pytest.raises(ConfigError, match="expected ascending numbers that end with max_batch_size, such as 1,8"):
        session.open_session(migraphx(graph, batches))


def test_a_graph_without_such_nodes_is_opened_as_it_is(graph):
    model = onnx.load(str(graph))
    assert expand_prelu(model) and pad_apart(model)
    assert not expand_prelu(model) and not pad_apart(model)
    onnx.save(model, str(graph))
    with rewritten_for_migraphx(graph) as file:
        assert file == graph
