"""From a model config's accelerators, as Triton's native ONNX Runtime backend names them, to execution providers."""

from collections.abc import Mapping
from dataclasses import dataclass

from triptych_server.errors import ConfigError
from triptych_server.sessions import accelerator_parameters as tables
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import Accelerator, SessionSettings

CUDA, TENSORRT, MIGRAPHX = "CUDAExecutionProvider", "TensorrtExecutionProvider", "MIGraphXExecutionProvider"

TENSORRT_PRECISION_NAMES = {"FP16": "f16", "BF16": "bf16", "INT8": "int8"}
MIGRAPHX_PRECISION_NAMES = {"fp16": "f16", "bf16": "bf16", "fp8": "fp8", "int8": "int8"}


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
    if settings.kind == "GPU" or any(accelerator.name == "migraphx" for accelerator in settings.gpu_accelerators):
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
    owner = f"{settings.model}: the cuda accelerator"
    options = {key: _cuda_option(key, settings) for key in tables.CUDA_IN_PARAMETERS if key in settings.parameters}
    for accelerator in settings.gpu_accelerators:
        if accelerator.name == "cuda":
            accelerator.parameters.refuse_unknown(tables.CUDA, owner)
            options.update(accelerator.parameters.values)
    return Provider(
        CUDA,
        {**options, "device_id": str(settings.device_id)},
        f"CUDA:{settings.device_id}",
        remedy="see what is missing with `triptych doctor --profile cuda` (driver, onnxruntime-gpu, CUDA, cuDNN)",
    )


def _cuda_option(key: str, settings: SessionSettings) -> str:
    """A CUDA option in a model's `parameters`, where Triton wants numbers for what ONNX Runtime has names for."""
    value, forms = settings.parameters.text(key), tables.CUDA_IN_PARAMETERS[key]
    if forms and value not in {*forms, *forms.values()}:
        meaning = ", ".join(f"{number} ({name})" if number != name else number for number, name in forms.items())
        raise ConfigError(f"{settings.model}: parameter {key} is {value!r}; expected one of {meaning}")
    return forms.get(value, value)


def _tensorrt(given: Parameters, settings: SessionSettings) -> Provider:
    given.refuse_unknown(tables.TENSORRT_NATIVE | tables.TENSORRT_OURS, f"{settings.model}: the tensorrt accelerator")
    mode = given.choice("precision_mode", tuple(tables.TENSORRT_PRECISIONS), "FP32")
    options = {tables.TENSORRT_RENAMED.get(key, key): given.text(key) for key in given if key != "precision_mode"}
    if switch := tables.TENSORRT_PRECISIONS[mode]:
        options[switch] = "1"
    return Provider(
        TENSORRT,
        {**options, "device_id": str(settings.device_id)},
        f"TensorRT:{settings.device_id}",
        TENSORRT_PRECISION_NAMES.get(mode, "f32"),
        remedy="see what is missing with `triptych doctor --profile tensorrt` (all that cuda needs, and TensorRT 10)",
    )


def _migraphx(given: Parameters, settings: SessionSettings) -> Provider:
    given.refuse_unknown(tables.MIGRAPHX, f"{settings.model}: the migraphx accelerator")
    on = [name for name in MIGRAPHX_PRECISION_NAMES if given.boolean(f"migraphx_{name}_enable", default=False)]
    if len(on) > 1:
        raise ConfigError(f"{settings.model}: the migraphx accelerator is asked for {' and '.join(on)}; switch all but one off")
    return Provider(
        MIGRAPHX,
        {**given.values, "device_id": str(settings.device_id)},
        f"ROCm:{settings.device_id}",
        MIGRAPHX_PRECISION_NAMES[on[0]] if on else "f32",
        remedy="see what is missing with `triptych doctor --profile migraphx` (driver, onnxruntime-migraphx, ROCm 7)",
    )
