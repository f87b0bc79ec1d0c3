"""From a model config's parameters, as Triton's native OpenVINO backend names them, to OpenVINO's compile properties."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from triptych_server.errors import ConfigError
from triptych_server.sessions.parameters import Parameters
from triptych_server.sessions.protocol import SessionSettings

PASSED_ON = frozenset(
    {
        "PERFORMANCE_HINT",
        "PERFORMANCE_HINT_NUM_REQUESTS",
        "NUM_STREAMS",
        "INFERENCE_NUM_THREADS",
        "COMPILATION_NUM_THREADS",
        "ENABLE_CPU_PINNING",
        "ENABLE_HYPER_THREADING",
        "SCHEDULING_CORE_TYPE",
        "EXECUTION_MODE_HINT",
        "CACHE_DIR",
        "CACHE_MODE",
    }
)
"""Parameters that are OpenVINO properties of the same name."""

OURS = frozenset({"TARGET_DEVICE", "INFERENCE_PRECISION_HINT", "HINT_BF16", "allow_fallback"})

NATIVE_ONLY = frozenset({"SKIP_OV_DYNAMIC_BATCHSIZE", "ENABLE_BATCH_PADDING", "RESHAPE_IO_LAYERS"})
"""The native backend needs these for a dynamic batch; here every batch is dynamic, so they say nothing new."""

KNOWN = PASSED_ON | OURS | NATIVE_ONLY
"""Every parameter that a config may have."""

PRECISIONS = {"f32": "f32", "fp32": "f32", "bf16": "bf16", "f16": "f16", "fp16": "f16"}


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """Device, precision (empty: the device's default) and properties for `Core.compile_model`."""

    device: str
    precision: str
    properties: Mapping[str, str]

    @classmethod
    def from_settings(cls, settings: SessionSettings) -> Self:
        """Read and check the parameters; ConfigError for unknown or conflicting ones."""
        given = settings.parameters
        given.refuse_unknown(KNOWN, f"{settings.model}: the openvino backend")
        if "NUM_STREAMS" in given and "PERFORMANCE_HINT" in given:
            raise ConfigError(
                f"{settings.model}: NUM_STREAMS and PERFORMANCE_HINT are both set, and the hint chooses streams itself; keep one of them"
            )
        precision = _precision(given)
        properties = {key: given.text(key) for key in given if key in PASSED_ON}
        if precision:
            properties["INFERENCE_PRECISION_HINT"] = precision
        return cls(given.text("TARGET_DEVICE", "CPU"), precision, properties)


def _precision(given: Parameters) -> str:
    if "INFERENCE_PRECISION_HINT" in given:
        value = given.text("INFERENCE_PRECISION_HINT")
        if value.lower() not in PRECISIONS:
            raise ConfigError(f"parameter INFERENCE_PRECISION_HINT is {value!r}; expected one of f32, bf16, f16")
        return PRECISIONS[value.lower()]
    return "bf16" if given.boolean("HINT_BF16", default=False) else ""
