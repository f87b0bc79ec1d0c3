"""Where Triton's native onnxruntime backend keeps the engines that TensorRT builds: in its working folder, unless its config names one."""

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from triptych_server.configs.overrides import GRAPH, Overrides
from triptych_server.engine.triton import Triton
from triptych_server.hardware.tree import Tree
from triptych_server.repository import Repository
from triptych_server.sessions.compiler_release import tensorrt_release
from triptych_server.sessions.engine_cache import discard_old, engines_root, gpu_names, graph_name, mark_used

_logger = logging.getLogger(__name__)
NATIVE = "onnxruntime/libtriton_onnxruntime.so"
ENGINES, TIMINGS = "trt_engine_cache_path", "trt_timing_cache_path"


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
