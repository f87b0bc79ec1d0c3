"""From a model config's `parameters`, as Triton's native ONNX Runtime backend reads them, to onnxruntime's session options."""

from types import ModuleType
from typing import Any

from triptych_server.errors import ConfigError
from triptych_server.sessions import accelerator_parameters as tables
from triptych_server.sessions.protocol import SessionSettings

KNOWN = frozenset({*tables.ONNXRUNTIME, *tables.ONNXRUNTIME_NATIVE_ONLY, *tables.CUDA_IN_PARAMETERS, *tables.HARMLESS_NATIVELY})


def session_options(ort: ModuleType, settings: SessionSettings) -> Any:
    """onnxruntime.SessionOptions from `parameters` and `optimization.graph.level`; ConfigError for a key nobody knows."""
    given = settings.parameters
    given.refuse_unknown(KNOWN, f"{settings.model}: the onnxruntime backend")
    options = ort.SessionOptions()
    options.intra_op_num_threads = given.integer("intra_op_thread_count", 0)
    options.inter_op_num_threads = given.integer("inter_op_thread_count", 0)
    options.enable_cpu_mem_arena = given.boolean("enable_mem_arena", default=True)
    options.enable_mem_pattern = given.boolean("enable_mem_pattern", default=True)
    parallel = given.choice("execution_mode", ("0", "1"), "0") == "1"
    options.execution_mode = ort.ExecutionMode.ORT_PARALLEL if parallel else ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = _graph_level(ort, settings.graph_level)
    for key in ("memory.enable_memory_arena_shrinkage", "session.use_device_allocator_for_initializers"):
        if key in given:
            options.add_session_config_entry(key, given.text(key))
    return options


def _graph_level(ort: ModuleType, level: int | None) -> Any:
    levels = ort.GraphOptimizationLevel
    named = {-1: levels.ORT_ENABLE_BASIC, 1: levels.ORT_ENABLE_EXTENDED, 2: levels.ORT_DISABLE_ALL}
    return named.get(level if level is not None else 0, levels.ORT_ENABLE_ALL)


def static_batches(settings: SessionSettings) -> tuple[int, ...]:
    """The batch sizes that graphs are compiled for, ascending, from the parameter `static_batches` (`1,8`); empty where any batch
    may come as it is. ConfigError when they do not end with max_batch_size."""
    text = settings.parameters.text("static_batches")
    if not text:
        return ()
    parts = [part.strip() for part in text.split(",")]
    sizes = tuple(int(part) for part in parts if part.isdecimal())
    if len(sizes) != len(parts) or list(sizes) != sorted(set(sizes)) or sizes[0] < 1 or sizes[-1] != max(1, settings.max_batch_size):
        raise ConfigError(
            f"{settings.model}: static_batches is {text!r}; expected ascending numbers that end with max_batch_size, such as "
            f"1,{max(2, settings.max_batch_size)}"
        )
    return sizes
