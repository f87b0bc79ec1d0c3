"""Compiled engines: kept by what they fit, found by content, a few for each model, and built anew when they are damaged. A stand-in for
onnxruntime grants TensorRT by name and computes on the CPU; its sentences are those of ONNX Runtime's source."""

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from triptych_server.errors import DeviceError
from triptych_server.hardware.tree import Tree
from triptych_server.sessions import SessionSettings, engine_cache
from triptych_server.sessions import onnxruntime as session
from triptych_server.sessions.compiler_release import migraphx_release, tensorrt_release
from triptych_server.sessions.engine_cache import discard_unserved, engine_folder, gpu_names, graph_name
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import Accelerator


@pytest.fixture
def graph(tmp_path):
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in "xy")
    made = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    file = tmp_path / "model.onnx"
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(file))
    return file


def tensorrt(graph):
    accelerator = Accelerator("tensorrt", Parameters({"trt_engine_cache_enable": "1"}))
    return SessionSettings("net", graph, kind="GPU", gpu_accelerators=(accelerator,))


def folder_of(settings, root, compiler="tensorrt-10.13.2"):
    return engine_folder(settings, compiler, root / "engines", Tree(root))


def test_engines_are_kept_by_release_gpu_and_graph(graph, tmp_path):
    settings = tensorrt(graph)
    first = folder_of(settings, tmp_path)
    assert first == folder_of(settings, tmp_path) and first.is_dir()
    assert folder_of(settings, tmp_path, "tensorrt-10.14.0") != first
    assert folder_of(replace(settings, model="net__next"), tmp_path) == first  # on trial


def test_a_graph_is_known_by_its_content(graph, tmp_path):
    before, told = graph_name("net", graph), graph.stat()
    other = tmp_path / "other.onnx"
    other.write_bytes(graph.read_bytes()[::-1])
    os.utime(other, ns=(told.st_atime_ns, told.st_mtime_ns))
    other.replace(graph)  # as a change puts it in place; size and time are the old ones
    assert (graph.stat().st_size, graph.stat().st_mtime_ns) == (told.st_size, told.st_mtime_ns)
    assert graph_name("net", graph) != before
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(graph.read_bytes())
    assert graph_name("net", copy) == graph_name("net", graph)


def test_the_gpus_name_the_folder(tmp_path):
    information = tmp_path / "proc" / "driver" / "nvidia" / "gpus" / "0000:01:00.0" / "information"
    information.parent.mkdir(parents=True)
    information.write_text("Model: \t\t NVIDIA GeForce RTX 3090\nIRQ:  11\n")
    assert gpu_names(Tree(tmp_path)) == "NVIDIA-GeForce-RTX-3090"


def test_engines_that_cannot_be_kept_are_an_error(graph, tmp_path):
    (tmp_path / "engines").write_text("a file in the way")
    with pytest.raises(DeviceError, match="cannot be kept in .*; make it writable, or set XDG_CACHE_HOME"):
        folder_of(tensorrt(graph), tmp_path)


def test_of_each_model_the_engines_used_last_are_kept(graph, tmp_path):
    made = []
    for number in range(6):
        graph.write_bytes(bytes([number]) * 100)
        made.append(folder_of(tensorrt(graph), tmp_path, f"tensorrt-10.{number // 2}.0"))
        (made[-1] / "net.engine").write_bytes(b"engine")
        os.utime(made[-1] / ".used", (number, number))
    timings = made[0].parent.parent
    other = folder_of(replace(tensorrt(graph), model="other"), tmp_path)
    assert [folder.is_dir() for folder in made] == [False, False, True, True, True, True]
    assert other.is_dir()
    assert not timings.exists()  # nothing of that release is left
    assert discard_unserved(tmp_path / "engines", {made[3].name, other.name}) == 3 * len(b"engine")
    assert [folder.is_dir() for folder in (*made[2:], other)] == [False, True, False, False, True]


def test_the_compilers_release_is_asked_of_its_library(tmp_path):
    assert tensorrt_release(lambda _: SimpleNamespace(getInferLibVersion=lambda: 101302)) == "10.13.2"
    maps = tmp_path / "maps"
    maps.write_text(
        "7f00-7f01 r-xp 00000000 fd:00 1    /opt/rocm-7.1.0/lib/libmigraphx.so.2014000.0\n7f02-7f03 r-xp 0 fd:00 2    /opt/rocm-7.1.0/lib/libmigraphx_c.so.3.0.70100\n"
    )
    assert migraphx_release(lambda _: None, maps) == "3.0.70100"

    def missing(name):
        raise OSError(f"{name}: cannot open shared object file")

    assert (tensorrt_release(missing), migraphx_release(missing)) == ("unknown", "unknown")


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """Opens like TensorRT's provider: an engine that is in the cache must be whole, else one is built; counts what was built."""
    built = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    class Granted(onnxruntime.InferenceSession):
        def __init__(self, path, options, providers):
            folder = Path(providers[0][1]["trt_engine_cache_path"])
            prefix = providers[0][1].get("trt_engine_cache_prefix", "part")
            for part in (folder / f"{prefix}_0_sm86.engine", folder / f"{prefix}_1_sm86.engine"):
                if not part.exists():
                    part.write_bytes(b"whole")
                    built.append(part.name)
                elif part.read_bytes() != b"whole":
                    raise onnxruntime.capi.onnxruntime_pybind11_state.EPFail(
                        f"[ONNXRuntimeError] : 11 : EP_FAIL : TensorRT EP could not deserialize engine from cache: {part}"
                    )
            super().__init__(path, options, providers=["CPUExecutionProvider"])

        def get_providers(self):
            return ["TensorrtExecutionProvider", "CPUExecutionProvider"]

    stand_in = SimpleNamespace(
        InferenceSession=Granted,
        get_available_providers=lambda: ["TensorrtExecutionProvider", "CPUExecutionProvider"],
        preload_dlls=lambda: None,
        __version__="1.31.1",
        SessionOptions=onnxruntime.SessionOptions,
        ExecutionMode=onnxruntime.ExecutionMode,
        GraphOptimizationLevel=onnxruntime.GraphOptimizationLevel,
    )
    monkeypatch.setattr(session, "_onnxruntime", lambda: stand_in)
    return built


def test_a_damaged_engine_is_built_anew(graph, opened, tmp_path, caplog):
    session.open_session(tensorrt(graph)).close()
    session.open_session(tensorrt(graph)).close()
    assert len(opened) == 2
    engines = sorted((tmp_path / "cache").rglob("*.engine"))
    for engine in engines:
        engine.write_bytes(b"who")
    session.open_session(tensorrt(graph)).close()
    assert len(opened) == 4
    assert f"the compiled engine {engines[0]} cannot be read; it is removed and built anew" in caplog.text


def test_each_static_batch_has_engines_of_its_own(graph, opened):
    """TensorRT tells engines by their graphs, and these differ in nothing but the batch."""
    static = replace(tensorrt(graph), max_batch_size=4, parameters=Parameters({"static_batches": "1,4"}))
    session.open_session(static).close()
    assert sorted(opened) == ["batch1_0_sm86.engine", "batch1_1_sm86.engine", "batch4_0_sm86.engine", "batch4_1_sm86.engine"]


def test_another_failure_leaves_the_engines_alone(graph, opened, tmp_path, monkeypatch):
    session.open_session(tensorrt(graph)).close()

    def fails(*_):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(session, "_open", fails)
    with pytest.raises(RuntimeError, match="out of memory"):
        session.open_session(tensorrt(graph))
    assert len(list((tmp_path / "cache").rglob("*.engine"))) == 2
    assert engine_cache.engines_root() == tmp_path / "cache" / "triptych" / "engines"
