"""What Triton tells a Python model or backend about itself at start, as one typed object."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from triptych_server.errors import ConfigError
from triptych_server.sessions.parameters import SERVING_KEYS, Parameters
from triptych_server.sessions.protocol import Accelerator, SessionSettings

PROFILE_VARIABLE = "TRIPTYCH_PROFILE"
"""The engine tells its stubs by this environment variable which profile they serve; Triton itself does not."""
PROFILE_PARAMETER = "triptych_profile"
"""A model that is loaded with the config of another profile than the server was started with has that profile's name in this one."""


@dataclass(frozen=True, slots=True)
class TensorConfig:
    """An input or output of the model config; dims without the batch, -1 is variable."""

    name: str
    data_type: str
    dims: tuple[int, ...]
    optional: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """From one entry of `input` or `output` in the config's JSON form."""
        return cls(config["name"], config["data_type"], tuple(int(dim) for dim in config["dims"]), bool(config.get("optional")))


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of a model: its config, kind and device, and the folder of its version."""

    model: str
    name: str
    kind: str
    device_id: int
    folder: Path
    max_batch_size: int
    inputs: tuple[TensorConfig, ...]
    outputs: tuple[TensorConfig, ...]
    parameters: Parameters
    config: Mapping[str, Any]

    @classmethod
    def from_args(cls, args: Mapping[str, str]) -> Self:
        """From the dict that Triton gives to `initialize`."""
        config = json.loads(args["model_config"])
        return cls(
            model=args["model_name"],
            name=args["model_instance_name"],
            kind=args["model_instance_kind"],
            device_id=int(args["model_instance_device_id"]),
            folder=Path(args["model_repository"]) / args["model_version"],
            max_batch_size=int(config["max_batch_size"]),
            inputs=tuple(map(TensorConfig.from_config, config["input"])),
            outputs=tuple(map(TensorConfig.from_config, config["output"])),
            parameters=_parameters(config.get("parameters")),
            config=config,
        )

    def _device(self) -> int:
        """Triton's choice; where it knows no devices (AMD's), the instances take those of the parameter `device_ids` in turn."""
        if not (listed := self.parameters.text("device_ids")):
            return self.device_id
        devices = _listed_devices(listed)
        number = self.name.rpartition("_")[2]  # clip_visual_0_1: the second of the first group
        return devices[int(number) % len(devices)] if number.isdecimal() else devices[0]

    def own_parameters(self, *read: str) -> Parameters:
        """The parameters without SERVING_KEYS and those that the caller has read: the runtime's, or the model's own code's."""
        return self.parameters.without(*SERVING_KEYS, PROFILE_PARAMETER, *read)

    @property
    def profile(self) -> str:
        """The profile that its config is of; empty where no engine of ours says it."""
        return self.parameters.text(PROFILE_PARAMETER) or os.environ.get(PROFILE_VARIABLE, "")

    def session_settings(self) -> SessionSettings:
        """What a runtime needs of it to open the model's graph."""
        optimization = self.config.get("optimization") or {}
        accelerators = optimization.get("execution_accelerators") or {}
        graph = optimization.get("graph") or {}
        return SessionSettings(
            model=self.model,
            graph=self.folder / (self.config.get("default_model_filename") or "model.onnx"),
            max_batch_size=self.max_batch_size,
            kind=self.kind,
            device_id=self._device(),
            parameters=self.own_parameters(),
            cpu_accelerators=_accelerators(accelerators.get("cpu_execution_accelerator")),
            gpu_accelerators=_accelerators(accelerators.get("gpu_execution_accelerator")),
            graph_level=int(graph["level"]) if graph.get("level") else None,
        )


def _listed_devices(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"parameter device_ids is {text!r}; expected device numbers with commas between them: 0 or 0,1")
    return list(map(int, parts))


def _parameters(config: Mapping[str, Any] | None) -> Parameters:
    """The JSON form wraps every value: {"key": {"string_value": "…"}}; one that was given as nothing may lack it."""
    return Parameters({key: value.get("string_value", "") for key, value in (config or {}).items()})


def _accelerators(config: list[Mapping[str, Any]] | None) -> tuple[Accelerator, ...]:
    return tuple(Accelerator(item["name"], Parameters(dict(item.get("parameters") or {}))) for item in config or [])
