"""config.pbtxt and profile fragments as protobuf: text in, ModelConfig out, with errors that name the file."""

from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.errors import ConfigError


def parse_config(text: str, name: str) -> ModelConfig:
    """Parse a ModelConfig in protobuf's text format; `name` says in errors where it came from.

    Raises ConfigError on a syntax error or a field that Triton does not know.
    """
    try:
        return text_format.Parse(text, ModelConfig())
    except text_format.ParseError as error:
        raise ConfigError(f"{name}: {error}") from None


def read_config(file: Path) -> ModelConfig:
    """Read one config file; ConfigError when it is missing or wrong."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file.parent.name}/{file.name}: {error.strerror}") from None
    return parse_config(text, f"{file.parent.name}/{file.name}")


def profile_config(folder: Path, profile: str) -> ModelConfig:
    """The config that Triton takes from a model's folder for a profile: configs/<profile>.pbtxt where there is one, else config.pbtxt."""
    tuned = folder / "configs" / f"{profile}.pbtxt"
    return read_config(tuned if tuned.is_file() else folder / "config.pbtxt")


def render_config(config: ModelConfig) -> str:
    """A ModelConfig in protobuf's text format, fields in the order of their numbers."""
    return str(text_format.MessageToString(config))


def parameters_of(config: ModelConfig) -> dict[str, str]:
    """The `parameters` map as plain strings."""
    return {key: value.string_value for key, value in sorted(config.parameters.items())}
