"""The config that Triton takes for a model and a profile, field by field: value, where it comes from, and the reason given there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.derive import derive
from triptych_server.configs.fields import Value, flatten
from triptych_server.configs.merge import merge_config
from triptych_server.configs.profiles import check_profile, fragment_files, profile_names
from triptych_server.configs.read import config_file, parse_config, read_text
from triptych_server.configs.source import Place, places
from triptych_server.repository import Repository

DERIVED = "derived"
"""The source of what `configs render` works out from the model's own dims and batch."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One field of an effective config. `source` is a file of the repository or DERIVED; `line` is 0 where there is none."""

    field: str
    value: Value
    source: str
    line: int = 0
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`file` is what Triton reads, relative to the repository's root."""

    model: str
    profile: str
    file: str
    fields: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class _Layer:
    """One of the files that a config is made of."""

    source: str
    config: ModelConfig
    places: dict[str, Place]


def explain(repository: Repository, model: str, profile: str) -> Explanation:
    """Where each field of a model's config comes from. ConfigError for an unknown model or profile, or a file that is wrong."""
    check_profile(repository, profile)
    folder = repository.model(model)
    effective = _layer(repository, config_file(folder, profile))
    values = flatten(effective.config)
    if effective.source == _relative(repository, folder / "config.pbtxt") or profile not in profile_names(repository):
        origins = [_at(effective, field, value) for field, value in values.items()]  # written by hand, or tuned
    else:
        sources = [folder / "config.pbtxt", *fragment_files(repository, profile, model)]
        origins = _generated(effective, [_layer(repository, file) for file in sources])
    return Explanation(model, profile, effective.source, tuple(origins))


def _generated(effective: _Layer, layers: Sequence[_Layer]) -> list[Origin]:
    """Each field of a generated config is from the last layer that sets it, unless it was derived, or the file is not what it should be."""
    merged = merge_config(*(layer.config for layer in layers))
    from_files, expected = flatten(merged), flatten(derive(merged))
    origins = []
    for field, value in flatten(effective.config).items():
        if expected.get(field) != value:
            origins.append(_at(effective, field, value))
        elif from_files.get(field) != value:
            origins.append(Origin(field, value, DERIVED, comment="from the model's dims and batch sizes"))
        else:
            origins.append(_at(next(layer for layer in reversed(layers) if field in layer.places), field, value))
    return origins


def _at(layer: _Layer, field: str, value: Value) -> Origin:
    place = layer.places.get(field, Place(0, ""))
    return Origin(field, value, layer.source, place.line, place.comment)


def _layer(repository: Repository, file: Path) -> _Layer:
    text, source = read_text(file), _relative(repository, file)
    return _Layer(source, parse_config(text, source), places(text))


def _relative(repository: Repository, file: Path) -> str:
    return file.relative_to(repository.root).as_posix()
