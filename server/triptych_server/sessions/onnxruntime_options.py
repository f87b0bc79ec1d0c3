"""From a model config, as Triton's native ONNX Runtime backend reads it, to session options and execution providers."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from triptych_server.errors import ConfigError
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import Accelerator, SessionSettings

KNOWN = frozenset(
    {
        "intra_op_thread_count",
        "inter_op_thread_count",
        "execution_mode",
        "enable_mem_arena",
        "enable_mem_pattern",
        "memory.enable_memory_arena_shrinkage",
        "session.use_device_allocator_for_initializers",
        "cudnn_conv_algo_search",
        "gpu_mem_limit",
        "arena_extend_strategy",
        "do_copy_in_default_stream",
        "allow_fallback",
    }
)
CUDA_PARAMETERS = ("cudnn_conv_algo_search", "gpu_mem_limit", "arena_extend_strategy", "do_copy_in_default_stream")
"""Deprecated home of CUDA provider options in the native backend, still honoured by it."""

PRECISION_OPTION = {
    "FP16": ("trt_fp16_enable", "f16"),
    "BF16": ("trt_bf16_enable", "bf16"),
    "INT8": ("trt_int8_enable", "int8"),
}
TENSORRT_RENAMED = {
    "max_workspace_size_bytes": "trt_max_workspace_size",
    "int8_calibration_table_name": "trt_int8_calibration_table_name",
    "int8_use_native_calibration_table": "trt_int8_use_native_calibration_table",
}


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider: ONNX Runtime's name, its options, the device and precision it stands for, and how to get it."""

    name: str
    options: Mapping[str, str]
    device: str
    precision: str = "f32"
    remedy: str = ""


CPU = Provider("CPUExecutionProvider", {}, "CPU")


def choose_providers(settings: SessionSettings) -> list[Provider]:
    """The providers to ask for, best first, always with the CPU as the last; ConfigError for an accelerator we do not know."""
    if settings.kind == "GPU":
        chosen = [_gpu_provider(accelerator, settings) for accelerator in settings.gpu_accelerators]
        if not any(provider.name == "MIGraphXExecutionProvider" for provider in chosen):
            chosen = [item for item in chosen if item.name != "CUDAExecutionProvider"] + [_cuda(settings)]
        return [*chosen, CPU]
    return [*(_cpu_provider(accelerator, settings) for accelerator in settings.cpu_accelerators), CPU]


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


def _cpu_provider(accelerator: Accelerator, settings: SessionSettings) -> Provider:
    if accelerator.name != "openvino":
        raise ConfigError(f"{settings.model}: unknown cpu_execution_accelerator {accelerator.name!r}; expected openvino")
    return Provider(
        "OpenVINOExecutionProvider",
        {"device_type": "CPU"},
        "CPU",
        remedy="install onnxruntime-openvino instead of onnxruntime, or use the profile openvino, which has a backend of its own",
    )


def _gpu_provider(accelerator: Accelerator, settings: SessionSettings) -> Provider:
    match accelerator.name:
        case "cuda":
            return _cuda(settings)
        case "tensorrt":
            return _tensorrt(accelerator.parameters, settings)
        case "migraphx":
            return _migraphx(accelerator.parameters, settings)
        case unknown:
            raise ConfigError(f"{settings.model}: unknown gpu_execution_accelerator {unknown!r}; expected cuda, tensorrt or migraphx")


def _cuda(settings: SessionSettings) -> Provider:
    accelerator = next((item for item in settings.gpu_accelerators if item.name == "cuda"), None)
    options = {key: settings.parameters.text(key) for key in CUDA_PARAMETERS if key in settings.parameters}
    options.update(accelerator.parameters.values if accelerator else {})
    return Provider(
        "CUDAExecutionProvider",
        {**options, "device_id": str(settings.device_id)},
        f"CUDA:{settings.device_id}",
        remedy="install onnxruntime-gpu with its CUDA and cuDNN libraries, and check the driver with nvidia-smi",
    )


def _tensorrt(given: Parameters, settings: SessionSettings) -> Provider:
    mode = given.choice("precision_mode", ("FP32", *PRECISION_OPTION), "FP32")
    options = {key: given.text(key) for key in given if key.startswith("trt_")}
    options.update({new: given.text(old) for old, new in TENSORRT_RENAMED.items() if old in given})
    known = {"precision_mode", *TENSORRT_RENAMED, *(key for key in given if key.startswith("trt_"))}
    given.refuse_unknown(frozenset(known), f"{settings.model}: the tensorrt accelerator")
    precision = "f32"
    if mode in PRECISION_OPTION:
        switch, precision = PRECISION_OPTION[mode]
        options[switch] = "1"
    return Provider(
        "TensorrtExecutionProvider",
        {**options, "device_id": str(settings.device_id)},
        f"TensorRT:{settings.device_id}",
        precision,
        remedy="install onnxruntime-gpu and the TensorRT 10 libraries it links",
    )


def _migraphx(given: Parameters, settings: SessionSettings) -> Provider:
    precision = next((name for name in ("fp16", "bf16", "int8") if given.boolean(f"migraphx_{name}_enable", default=False)), "f32")
    return Provider(
        "MIGraphXExecutionProvider",
        {**given.values, "device_id": str(settings.device_id)},
        f"ROCm:{settings.device_id}",
        {"fp16": "f16"}.get(precision, precision),
        remedy="install onnxruntime-migraphx and ROCm 7",
    )
