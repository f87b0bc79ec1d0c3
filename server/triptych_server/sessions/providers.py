"""From a model config's accelerators, as Triton's native ONNX Runtime backend names them, to execution providers."""

from collections.abc import Mapping
from dataclasses import dataclass

from triptych_server.errors import ConfigError
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import Accelerator, SessionSettings

CUDA, TENSORRT, MIGRAPHX = "CUDAExecutionProvider", "TensorrtExecutionProvider", "MIGraphXExecutionProvider"

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

    @property
    def short_name(self) -> str:
        """As configs name it: `tensorrt`."""
        return self.name.removesuffix("ExecutionProvider").lower()


CPU = Provider("CPUExecutionProvider", {}, "CPU")


def choose_providers(settings: SessionSettings) -> list[Provider]:
    """The providers to ask for, best first, always with the CPU as the last; ConfigError for an accelerator we do not know."""
    if settings.kind == "GPU":
        chosen = [_gpu_provider(accelerator, settings) for accelerator in settings.gpu_accelerators]
        if not any(provider.name == MIGRAPHX for provider in chosen):
            chosen = [item for item in chosen if item.name != CUDA] + [_cuda(settings)]
        return [*chosen, CPU]
    return [*(_cpu_provider(accelerator, settings) for accelerator in settings.cpu_accelerators), CPU]


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
        CUDA,
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
        TENSORRT,
        {**options, "device_id": str(settings.device_id)},
        f"TensorRT:{settings.device_id}",
        precision,
        remedy="install onnxruntime-gpu and the TensorRT 10 libraries it links",
    )


def _migraphx(given: Parameters, settings: SessionSettings) -> Provider:
    precision = next((name for name in ("fp16", "bf16", "int8") if given.boolean(f"migraphx_{name}_enable", default=False)), "f32")
    return Provider(
        MIGRAPHX,
        {**given.values, "device_id": str(settings.device_id)},
        f"ROCm:{settings.device_id}",
        {"fp16": "f16"}.get(precision, precision),
        remedy="install onnxruntime-migraphx and ROCm 7",
    )
