"""The config that a running Triton must be given with a load, where by itself it would take another from the model's folder."""

from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.overrides import Overrides
from triptych_server.configs.read import profile_config


def served_config(folder: Path, profile: str, overrides: Overrides, config_name: str) -> ModelConfig | None:
    """The profile's, with the overrides laid over it; None where Triton, started with the profile `config_name`, reads the same."""
    applied = overrides.applied(profile_config(folder, profile), folder / "1" / "model.onnx")
    return applied if applied != profile_config(folder, config_name) else None
