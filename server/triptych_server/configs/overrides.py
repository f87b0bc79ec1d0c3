"""What one start lays over its profile's configs: which devices, and parameters of a backend. The files stay as they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from triptych_server.configs.read import OUR_RUNTIME, parameters_of
from triptych_server.errors import ConfigError
from triptych_server.serving.request_queue import BULK
from triptych_server.serving.serving_options import ServingOptions
from triptych_server.sessions.accelerator_parameters import ignored_natively
from triptych_server.sessions.engine_cache import graph_name
from triptych_server.sessions.parameters import Parameters

Devices = tuple[int, ...]
_GPU = "GPU"
GRAPH = "{graph}"
"""In the value of an accelerator's parameter: a name for the model's graph as it is now."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """`device_ids` are for every network that runs on GPUs, `place` for single models, instead of those. `parameters` go to each model
    of a backend: {"onnxruntime": {"intra_op_thread_count": "4"}}; `accelerator` to each model that has an accelerator of that name:
    {"migraphx": {"migraphx_fp16_enable": "1"}}. Models of a backend in `native` wait in Triton's own queue, which gets a policy."""

    device_ids: Devices = ()
    place: Mapping[str, Devices] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    accelerator: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    native: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, devices in {"device_ids": self.device_ids, **self.place}.items():
            if any(device < 0 for device in devices) or len(set(devices)) != len(devices):
                raise ConfigError(f"{name}: devices are {', '.join(map(str, devices))}; expected different numbers from 0 on")

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> Self:
        """From what `dataclasses.asdict` and JSON made of one."""
        given = dict(fields)
        place: Mapping[str, Iterable[int]] = given.pop("place", {})  # type: ignore[assignment]
        devices: Iterable[int] = given.pop("device_ids", ())  # type: ignore[assignment]
        native: Iterable[str] = given.pop("native", ())  # type: ignore[assignment]
        return cls(tuple(devices), {name: tuple(ids) for name, ids in place.items()}, native=tuple(native), **given)  # type: ignore[arg-type]

    def applied(self, config: ModelConfig, graph: Path | None = None) -> ModelConfig:
        """A copy of a model's config with what concerns it laid over; `graph` is its model.onnx, which names folders for what is compiled
        from it. ConfigError when a model that is placed runs on no GPU."""
        changed = self._with_parameters(config)
        if changed.backend in self.native and changed.runtime != OUR_RUNTIME:
            _bound(changed)
        devices = self.place.get(config.name, self.device_ids)
        if devices and not _put_on(changed, devices) and config.name in self.place:
            raise ConfigError(f"{config.name} runs on no GPU in this profile, so it cannot be placed on device {devices[0]}")
        for accelerator in changed.optimization.execution_accelerators.gpu_execution_accelerator:
            for key, value in self.accelerator.get(accelerator.name, {}).items():
                accelerator.parameters[key] = value.replace(GRAPH, graph_name(config.name, graph)) if graph and GRAPH in value else value
        return changed

    def check(self, configs: Iterable[ModelConfig]) -> None:
        """ConfigError when `place` names a model that is not there, or devices are named and no model runs on any."""
        served = list(configs)
        unknown = sorted(set(self.place) - {config.name for config in served})
        if unknown:
            raise ConfigError(f"no model {unknown[0]!r} to place; there are: {', '.join(sorted(config.name for config in served))}")
        if self.device_ids and not self.run_on_gpus(served):
            raise ConfigError("device ids are given, but no model of this profile runs on a GPU; choose another profile, or leave them out")

    def run_on_gpus(self, configs: Iterable[ModelConfig]) -> bool:
        """Whether device ids mean something to any of these models."""
        return any(_put_on(self._with_parameters(config), (0,)) for config in configs)

    def _with_parameters(self, config: ModelConfig) -> ModelConfig:
        """A copy with the parameters for its backend."""
        changed = ModelConfig()
        changed.CopyFrom(config)
        parameters = self.parameters.get(config.backend, {})
        for key, value in parameters.items():
            changed.parameters[key].string_value = value
        if ignored_natively(config.backend, parameters):
            changed.runtime = OUR_RUNTIME
        return changed


def _bound(config: ModelConfig) -> None:
    """Give Triton's queue the bound, time limit and priorities that ours would have, unless the config has a policy of its own."""
    batching = config.dynamic_batching
    if not config.HasField("dynamic_batching") or batching.HasField("default_queue_policy"):
        return
    options = ServingOptions.from_parameters(Parameters(parameters_of(config)), config.name)
    batching.priority_levels, batching.default_priority_level = BULK, options.default_priority
    policy = batching.default_queue_policy
    policy.max_queue_size, policy.allow_timeout_override = options.max_waiting, True
    policy.default_timeout_microseconds = 1_000_000 * options.max_wait_seconds


def _put_on(config: ModelConfig, devices: Devices) -> bool:
    """Let a model run on these GPUs; False where it runs on none."""
    groups = [group for group in config.instance_group if group.kind == ModelInstanceGroup.KIND_GPU]
    for group in groups:
        group.gpus[:] = devices
    if groups:
        return True
    if any(each.name == "migraphx" for each in config.optimization.execution_accelerators.gpu_execution_accelerator):
        config.parameters["device_ids"].string_value = ",".join(map(str, devices))
        for group in config.instance_group:
            group.count = len(devices)  # Triton knows none of AMD's devices: our backend gives one to each instance
        return True
    target = parameters_of(config).get("TARGET_DEVICE", "") if config.backend == "openvino" else ""
    if ":" in target and _GPU in target:
        raise ConfigError(f"{config.name}: TARGET_DEVICE is {target}, which names its devices itself; put the numbers there, as GPU.1")
    if target.partition(".")[0] != _GPU:
        return False
    names = [f"{_GPU}.{device}" for device in devices]
    if len(names) == 1:
        config.parameters["TARGET_DEVICE"].string_value = names[0]
    else:  # one copy on each, and every one is kept busy
        config.parameters["TARGET_DEVICE"].string_value = f"AUTO:{','.join(names)}"
        config.parameters["PERFORMANCE_HINT"].string_value = "CUMULATIVE_THROUGHPUT"
    return True
