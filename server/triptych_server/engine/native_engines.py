"""What a Triton with native backends of its own is told beyond the configs: where TensorRT's engines are kept, and to bound its queues."""

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.overrides import GRAPH, Overrides
from triptych_server.configs.read import OUR_RUNTIME
from triptych_server.engine.triton import Triton
from triptych_server.hardware.tree import Tree
from triptych_server.repository import Repository
from triptych_server.sessions.accelerator_parameters import NATIVELY
from triptych_server.sessions.compiler_release import tensorrt_release
from triptych_server.sessions.engine_cache import discard_old, engines_root, gpu_names, graph_name, mark_used

_logger = logging.getLogger(__name__)
NATIVE = "onnxruntime/libtriton_onnxruntime.so"
ENGINES, TIMINGS = "trt_engine_cache_path", "trt_timing_cache_path"


def with_bounded_queues(overrides: Overrides, triton: Triton, configs: Iterable[ModelConfig]) -> Overrides:
    """The overrides, and which backends are Triton's own here: before them there is no queue of ours. A policy can cost them half a second
    (docs/decisions.md); without one, overload takes the server down."""
    applied = [overrides.applied(config) for config in configs]
    ours = {config.backend for config in applied if config.runtime == OUR_RUNTIME}
    native = [name for name in sorted(NATIVELY.keys() - ours) if (triton.backends / name / f"libtriton_{name}.so").is_file()]
    return replace(overrides, native=tuple(native))


def with_kept_engines(
    overrides: Overrides,
    triton: Triton,
    repository: Repository,
    root: Path | None = None,
    tree: Tree | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Overrides:
    """The overrides, and for a Triton with the native backend a folder of ours for engines, of TensorRT's release and the kinds of GPUs.
    Of each model's engines those that were used longest ago go. Our own backend finds its folder, and keeps it small, by itself."""
    if not (triton.backends / NATIVE).is_file():
        return overrides
    release = environment.get("TRT_VERSION") or tensorrt_release()  # NVIDIA's containers say it
    root = root or engines_root()
    folder = root / f"tensorrt-{release}" / gpu_names(tree or Tree())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for model in repository.networks.iterdir():
            if (engines := folder / graph_name(model.name, model / "1" / "model.onnx")).is_dir():
                mark_used(engines)
    except OSError as error:
        _logger.warning("TensorRT's engines are not kept: %s cannot be made (%s); set XDG_CACHE_HOME", folder, error.strerror)
        return overrides
    discard_old(root)
    # A folder for each graph: ONNX Runtime knows an engine by the names in its graph, which the graphs of two models may share.
    named = {ENGINES: f"{folder}/{GRAPH}", TIMINGS: str(folder), **overrides.accelerator.get("tensorrt", {})}
    return replace(overrides, accelerator={**overrides.accelerator, "tensorrt": named})
