"""The config that a running Triton must be given with a load, where by itself it would take another from the model's folder."""

from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.overrides import Overrides
from triptych_server.configs.read import profile_config
from triptych_server.serving.instance import PROFILE_PARAMETER


def served_config(folder: Path, profile: str, overrides: Overrides, config_name: str) -> ModelConfig | None:
    """The profile's, with the overrides laid over it, and the profile's name where the server was started with another, `config_name`.

    None where that server by itself reads the same.
    """
    applied = overrides.applied(profile_config(folder, profile), folder / "1" / "model.onnx")
    if applied == profile_config(folder, config_name):
        return None
    if profile != config_name:
        applied.parameters[PROFILE_PARAMETER].string_value = profile
    return applied
