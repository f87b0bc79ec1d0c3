"""Change values in a config.pbtxt that was written by hand, keeping its comments and layout."""

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from triptych_server.configs.derive import derive, without_derived
from triptych_server.configs.read import parse_config, render_config
from triptych_server.errors import ConfigError


def set_dims(text: str, tensor: str, dims: Sequence[int]) -> str:
    """Replace the dims of every input and output called `tensor`; ConfigError when the config has none."""
    pattern = re.compile(rf'(name:\s*"{re.escape(tensor)}"[^{{}}]*?dims:\s*\[\s*)[^\]]*?(\s*\])')
    return _replace(pattern, rf"\g<1>{', '.join(map(str, dims))}\g<2>", text, f"dims of {tensor}")


def set_parameter(text: str, key: str, value: str) -> str:
    """Replace the value of one entry of `parameters`; ConfigError when the config has none of that key."""
    pattern = re.compile(rf'(key:\s*"{re.escape(key)}"\s*,?\s*value:?\s*\{{\s*string_value:\s*")[^"]*(")')
    escaped = value.replace("\\", r"\\")
    return _replace(pattern, rf"\g<1>{escaped}\g<2>", text, f"parameter {key}")


def with_parameter(file: Path, key: str, value: str) -> str:
    """The text of a config file with a parameter set, added at the end where there is none of that key; nothing is written."""
    text = file.read_text(encoding="utf-8")
    if key in parse_config(text, f"{file.parent.name}/{file.name}").parameters:
        return edit_config(file, dims={}, parameters={key: value})
    return f'{text.rstrip()}\nparameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'


def edit_config(file: Path, *, dims: Mapping[str, Sequence[int]], parameters: Mapping[str, str]) -> str:
    """The text of a config file with new dims and parameters; checked against protobuf, nothing is written."""
    text = file.read_text(encoding="utf-8")
    for tensor, shape in dims.items():
        text = set_dims(text, tensor, shape)
    for key, value in parameters.items():
        text = set_parameter(text, key, value)
    config = parse_config(text, f"{file.parent.name}/{file.name}")
    for tensor, shape in dims.items():
        found = [list(io.dims) for io in (*config.input, *config.output) if io.name == tensor]
        if any(have != list(shape) for have in found):
            raise ConfigError(f"{file.parent.name}/{file.name}: dims of {tensor} became {found}, not {list(shape)}")
    for key, value in parameters.items():
        if config.parameters[key].string_value != value:
            raise ConfigError(f"{file.parent.name}/{file.name}: parameter {key} could not be set to {value!r}")
    return text


def edit_tuned(file: Path, *, dims: Mapping[str, Sequence[int]], parameters: Mapping[str, str]) -> str:
    """The text of a config that was written by a program, with new dims and parameters, and what follows from them; nothing is written.
    Where something changes, comments are kept in its title only."""
    text = file.read_text(encoding="utf-8")
    before = parse_config(text, f"{file.parent.name}/{file.name}")
    config = parse_config(text, f"{file.parent.name}/{file.name}")
    for tensor in (*config.input, *config.output):
        if tensor.name in dims:
            tensor.dims[:] = dims[tensor.name]
    for key in set(parameters) & set(config.parameters):
        config.parameters[key].string_value = parameters[key]
    if config == before:
        return text
    title = "".join(f"{line}\n" for line in takewhile(lambda line: line.startswith("#"), text.split("\n")))
    return title + render_config(derive(without_derived(config)))


def _replace(pattern: re.Pattern[str], replacement: str, text: str, what: str) -> str:
    edited, count = pattern.subn(replacement, text)
    if not count:
        raise ConfigError(f"the config has no {what} to set")
    return edited
