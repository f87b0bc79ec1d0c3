"""What perf_analyzer sends: photos and texts -> its input-data JSON, in the tensors that a model takes."""

import base64
import json
import struct
import uuid
from collections.abc import Sequence
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig

from triptych_server.errors import ConfigError

IMAGE = "image"
"""The input that takes an encoded picture, in every model that does."""
TEXTS = 20_000
"""Different ones: a text that comes again is answered from Triton's cache."""
_THINGS = ("a dog on the beach", "two red boats at night", "birthday cake with candles", "a forest in the snow")


def write_input(config: ModelConfig, jpegs: Sequence[bytes], folder: Path) -> Path | None:
    """Write the data for a model that takes strings: photos where it takes pictures, else texts that never came before.

    None for a model of numbers alone, which perf_analyzer fills at random. ConfigError when a model needs both kinds."""
    needed = [tensor for tensor in config.input if not tensor.optional]
    strings = [tensor.name for tensor in needed if tensor.data_type == DataType.TYPE_STRING]
    if not strings:
        return None
    if len(strings) != len(needed):
        raise ConfigError(f"{config.name} needs {', '.join(t.name for t in needed)}: strings and numbers together are not measured")
    file, mark = folder / "input.json", uuid.uuid4().hex[:8]
    count = len(jpegs) if strings == [IMAGE] else TEXTS
    data = [{name: _image(jpegs[i % len(jpegs)]) if name == IMAGE else _text(i, mark) for name in strings} for i in range(count)]
    file.write_text(json.dumps({"data": data}), encoding="utf-8")
    return file


def has_fixed_sizes(config: ModelConfig) -> bool:
    """Whether every tensor has one size only, which shared memory without guesses needs."""
    tensors = [*config.input, *config.output]
    return all(tensor.data_type != DataType.TYPE_STRING and min(tensor.dims, default=1) > 0 for tensor in tensors)


def _image(jpeg: bytes) -> dict[str, object]:
    """Bytes as perf_analyzer passes them on: with the length in front, as they stand in a request."""
    return {"b64": base64.b64encode(struct.pack("<I", len(jpeg)) + jpeg).decode(), "shape": [1]}


def _text(number: int, mark: str) -> dict[str, object]:
    return {"content": [f"{_THINGS[number % len(_THINGS)]} {mark} {number}"], "shape": [1]}
