"""config.pbtxt and profile fragments as protobuf: text in, ModelConfig out, with errors that name the file."""

import re
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.fields import flatten
from triptych_server.configs.nearest import did_you_mean
from triptych_server.errors import ConfigError

OUR_RUNTIME = "model.py"
"""The value of `runtime` that keeps Triton from taking a native backend of the same name."""

DEFAULT_PROFILE = "cpu"
"""The profile that config.pbtxt itself is."""

_UNKNOWN = re.compile(r'^(\d+):(\d+) : (?:.*: )?(?:Message|Enum) type "([\w.]+)" has no (field|value) named "?(\w+)"?\.?$')


def parse_config(text: str, name: str) -> ModelConfig:
    """Parse a ModelConfig in protobuf's text format; `name` says in errors where it came from.

    Raises ConfigError, with the line, on a syntax error or a field or word that Triton does not know.
    """
    try:
        config = text_format.Parse(text, ModelConfig())
        flatten(config)  # which knows every enum's numbers; protobuf lets any pass
        return config
    except text_format.ParseError as error:
        raise ConfigError(f"{name}:{_explained(str(error))}") from None
    except ValueError as error:  # a number that the field cannot hold or does not know; its line is not told
        raise ConfigError(f"{name}: {error}") from None


def read_text(file: Path) -> str:
    """The text of a config file; ConfigError when it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file.parent.name}/{file.name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file.parent.name}/{file.name}: found bytes that are no UTF-8, at {error.start}; expected text") from None


def read_config(file: Path) -> ModelConfig:
    """Read one config file; ConfigError when it is missing or wrong."""
    return parse_config(read_text(file), f"{file.parent.name}/{file.name}")


def config_file(folder: Path, profile: str) -> Path:
    """What Triton reads from a model's folder for a profile: configs/<profile>.pbtxt where there is one, else config.pbtxt. For the
    default profile it is told no name."""
    own = folder / "configs" / f"{profile}.pbtxt"
    return own if profile != DEFAULT_PROFILE and own.is_file() else folder / "config.pbtxt"


def profile_config(folder: Path, profile: str) -> ModelConfig:
    """The config that Triton takes from a model's folder for a profile."""
    return read_config(config_file(folder, profile))


def render_config(config: ModelConfig) -> str:
    """A ModelConfig in protobuf's text format, fields in the order of their numbers."""
    return str(text_format.MessageToString(config))


def parameters_of(config: ModelConfig) -> dict[str, str]:
    """The `parameters` map as plain strings."""
    return {key: value.string_value for key, value in sorted(config.parameters.items())}


def _explained(error: str) -> str:
    """protobuf's complaint as `line:column: what`, with the known name that is nearest to an unknown one."""
    unknown = _UNKNOWN.match(error)
    if not unknown:
        return error.replace(" : ", ": ", 1)
    line, column, kind, what, word = unknown.groups()
    pool = ModelConfig.DESCRIPTOR.file.pool
    known = pool.FindMessageTypeByName(kind).fields_by_name if what == "field" else pool.FindEnumTypeByName(kind).values_by_name
    return f"{line}:{column}: {kind.removeprefix('inference.')} has no {what} {word}{did_you_mean(word, known)}"
