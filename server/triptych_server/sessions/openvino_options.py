"""From a model config's parameters, as Triton's native OpenVINO backend names them, to OpenVINO's compile properties."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from triptych_server.errors import ConfigError
from triptych_server.sessions.openvino_conflicts import CHOOSING, conflict, gathering
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
        "AUTO_BATCH_TIMEOUT",
        "DEVICE_PROPERTIES",
    }
)
"""Parameters that are OpenVINO properties of the same name."""

OURS = frozenset({"TARGET_DEVICE", "INFERENCE_PRECISION_HINT", "HINT_BF16", "allow_fallback"})

NATIVE_ONLY = frozenset({"SKIP_OV_DYNAMIC_BATCHSIZE", "ENABLE_BATCH_PADDING", "RESHAPE_IO_LAYERS"})
"""The native backend needs these for a dynamic batch; here every batch is dynamic, so they say nothing new."""

KNOWN = PASSED_ON | OURS | NATIVE_ONLY
"""Every parameter that a config may have."""

PRECISIONS = {"f32": "f32", "fp32": "f32", "bf16": "bf16", "f16": "f16", "fp16": "f16"}
BATCH_TIMEOUT_MS = "1"
"""How long auto-batching waits for its batch to fill. OpenVINO's own 1000 makes a lone request take a second; Triton's batches arrive
whole, so that only the rest of one ever waits. Measured: `python -m loadtest.auto_batching`."""


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """Device, precision (empty: the device's default), properties for `Core.compile_model`, and the rows that OpenVINO gathers into a
    batch by itself (0: none; requests come as batches of any size)."""

    device: str
    precision: str
    properties: Mapping[str, str]
    auto_batch: int = 0

    @classmethod
    def from_settings(cls, settings: SessionSettings) -> Self:
        """Read and check the parameters; ConfigError for unknown or conflicting ones."""
        given = settings.parameters
        given.refuse_unknown(KNOWN, f"{settings.model}: the openvino backend")
        device = given.text("TARGET_DEVICE", "CPU")
        precision = _precision(given)
        if sentence := conflict(given, device, precision):
            raise ConfigError(f"{settings.model}: {sentence}")
        properties = {key: given.text(key) for key in given if key in PASSED_ON}
        if precision:
            properties["INFERENCE_PRECISION_HINT"] = precision
        _, rows = gathering(device)
        if rows:
            properties.setdefault("AUTO_BATCH_TIMEOUT", BATCH_TIMEOUT_MS)
        return cls(device, precision, properties, rows)

    @property
    def plain_device(self) -> str:
        """The one device that must be what runs: GPU.1 of GPU.1 and of BATCH:GPU.1(8); empty for one that chooses for itself."""
        device, _ = gathering(self.device)
        return "" if device.partition(":")[0] in CHOOSING else device


def _precision(given: Parameters) -> str:
    if "INFERENCE_PRECISION_HINT" in given:
        value = given.text("INFERENCE_PRECISION_HINT")
        if value.lower() not in PRECISIONS:
            raise ConfigError(f"parameter INFERENCE_PRECISION_HINT is {value!r}; expected one of f32, bf16, f16")
        return PRECISIONS[value.lower()]
    return "bf16" if given.boolean("HINT_BF16", default=False) else ""
