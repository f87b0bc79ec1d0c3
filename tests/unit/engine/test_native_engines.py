"""TensorRT's engines of Triton's native backend are kept where they survive a restart."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

from triptych_server.configs.overrides import Overrides
from triptych_server.configs.read import parse_config
from triptych_server.engine.native_engines import NATIVE, with_bounded_queues, with_kept_engines
from triptych_server.hardware.tree import Tree
from triptych_server.sessions.engine_cache import graph_name

TENSORRT = """name: "net" backend: "onnxruntime" instance_group [ { kind: KIND_GPU count: 1 } ]
optimization { execution_accelerators { gpu_execution_accelerator { name: "tensorrt" } } }"""


def triton(tmp_path: Path, *, native: bool):
    library = tmp_path / "backends" / NATIVE
    library.parent.mkdir(parents=True, exist_ok=True)
    if native:
        library.touch()
    return SimpleNamespace(backends=tmp_path / "backends")


def repository(tmp_path: Path):
    (tmp_path / "networks" / "net" / "1").mkdir(parents=True, exist_ok=True)
    return SimpleNamespace(networks=tmp_path / "networks")


def options_of(overrides, graph):
    config = overrides.applied(parse_config(TENSORRT, "test"), graph)
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    return dict(accelerator.parameters)


def test_the_native_backend_is_told_a_folder(tmp_path):
    environment = {"TRT_VERSION": "10.13.2"}
    overrides = with_kept_engines(
        Overrides(), triton(tmp_path, native=True), repository(tmp_path), tmp_path / "engines", Tree(tmp_path), environment
    )
    folder = tmp_path / "engines" / "tensorrt-10.13.2" / "gpu"
    assert folder.is_dir()
    graph = tmp_path / "model.onnx"
    graph.write_text("one model")
    first = options_of(overrides, graph)
    assert first["trt_timing_cache_path"] == str(folder)
    assert first["trt_engine_cache_path"].startswith(f"{folder}/net-")
    graph.write_text("another model, whose graph has the same names")
    assert options_of(overrides, graph)["trt_engine_cache_path"] != first["trt_engine_cache_path"]


def test_the_native_backends_queue_is_bounded_as_ours_would_be(tmp_path):
    queue = (
        'parameters { key: "max_waiting" value { string_value: "9" } } parameters { key: "default_priority" value { string_value: "1" } }'
    )
    config = parse_config(f"{TENSORRT} dynamic_batching {{ }} {queue}", "test")
    overrides = with_bounded_queues(Overrides(), triton(tmp_path, native=True), [config])
    assert overrides.native == ("onnxruntime",)
    batching = overrides.applied(config).dynamic_batching
    policy = batching.default_queue_policy
    assert (batching.priority_levels, batching.default_priority_level, policy.max_queue_size) == (2, 1, 9)
    assert (policy.default_timeout_microseconds, policy.allow_timeout_override) == (60_000_000, True)
    assert Overrides.from_json(json.loads(json.dumps(asdict(overrides)))) == overrides  # for models that are swapped later


def test_our_own_backend_bounds_its_queue_itself(tmp_path):
    config = parse_config(f"{TENSORRT} dynamic_batching {{ }}", "test")
    assert with_bounded_queues(Overrides(), triton(tmp_path / "without", native=False), [config]) == Overrides()
    ours = parse_config(f'{TENSORRT} dynamic_batching {{ }} runtime: "model.py"', "test")
    assert with_bounded_queues(Overrides(), triton(tmp_path / "with", native=True), [config, ours]) == Overrides()  # one for all models


def test_a_folder_of_ones_own_stays(tmp_path):
    own = Overrides(accelerator={"tensorrt": {"trt_engine_cache_path": "/mine"}})
    found = with_kept_engines(own, triton(tmp_path, native=True), repository(tmp_path), tmp_path / "engines", Tree(tmp_path), {})
    assert found.accelerator["tensorrt"]["trt_engine_cache_path"] == "/mine"


def test_our_own_backend_needs_none(tmp_path):
    assert (
        with_kept_engines(Overrides(), triton(tmp_path, native=False), repository(tmp_path), tmp_path / "engines", Tree(tmp_path), {})
        == Overrides()
    )


def test_engines_that_were_not_used_for_long_go_at_a_start(tmp_path):
    folder, served = tmp_path / "engines" / "tensorrt-10.13.2" / "gpu", repository(tmp_path)
    graph = served.networks / "net" / "1" / "model.onnx"
    graph.write_text("served")
    engines = [graph_name("net", graph), *(f"net-{number:012x}" for number in range(5))]
    for age, name in enumerate(reversed(engines)):
        (folder / name).mkdir(parents=True)
        os.utime(folder / name, (age, age))
    os.utime(folder / engines[0], (-1, -1))  # compiled before all others, and in use
    with_kept_engines(Overrides(), triton(tmp_path, native=True), served, tmp_path / "engines", Tree(tmp_path), {"TRT_VERSION": "10.13.2"})
    assert {each.name for each in folder.iterdir()} == set(engines[:4])
