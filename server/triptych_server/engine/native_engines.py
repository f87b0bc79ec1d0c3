"""Where Triton's native onnxruntime backend keeps the engines that TensorRT builds: in its working folder, unless its config names one."""

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import platformdirs

from triptych_server.configs.overrides import GRAPH, Overrides
from triptych_server.engine.triton import Triton
from triptych_server.hardware.tree import Tree
from triptych_server.sessions.engine_cache import gpu_names

_logger = logging.getLogger(__name__)
NATIVE = "onnxruntime/libtriton_onnxruntime.so"
ENGINES, TIMINGS = "trt_engine_cache_path", "trt_timing_cache_path"


def with_kept_engines(
    overrides: Overrides, triton: Triton, root: Path | None = None, tree: Tree | None = None, environment: Mapping[str, str] = os.environ
) -> Overrides:
    """The overrides, and for a Triton with the native backend a folder of ours for engines, of TensorRT's release and the kinds of GPUs.
    Our own backend finds its folder by itself."""
    if not (triton.backends / NATIVE).is_file():
        return overrides
    release = environment.get("TRT_VERSION") or "unknown"  # NVIDIA's containers say it
    folder = (root or platformdirs.user_cache_path("triptych") / "engines") / f"tensorrt-{release}" / gpu_names(tree or Tree())
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _logger.warning("TensorRT's engines are not kept: %s cannot be made (%s); set XDG_CACHE_HOME", folder, error.strerror)
        return overrides
    # A folder for each graph: ONNX Runtime knows an engine by the names in its graph, which the graphs of two models may share.
    named = {ENGINES: f"{folder}/{GRAPH}", TIMINGS: str(folder), **overrides.accelerator.get("tensorrt", {})}
    return replace(overrides, accelerator={**overrides.accelerator, "tensorrt": named})
