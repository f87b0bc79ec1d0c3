"""Which models a repository serves, by name: kept in served.json beside its folders, for a graph does not say where it came from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from triptych_server.errors import ConfigError
from triptych_server.json_text import read_json
from triptych_server.models.catalogue import Task
from triptych_server.repository import Repository

FILE = "served.json"


@dataclass(frozen=True, slots=True)
class ServedName:
    """A model of the cache that was made the served one: its repository on the hub, the revision asked for, and the commit.
    `legacy_resize`: whether pictures are resized as Immich did up to 3.2, whatever the model says."""

    repository: str
    revision: str
    commit: str
    legacy_resize: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.legacy_resize, bool):
            raise TypeError(f"legacy_resize is {self.legacy_resize!r}; expected true or false")


Names = Mapping[Task, ServedName | None]
"""None where no name is known, as of a model that was imported from a folder."""


def served_names(repository: Repository) -> dict[Task, ServedName]:
    """What is served for each task, as far as it came from the cache. ConfigError when the file is damaged."""
    file = repository.root / FILE
    try:
        return {task: ServedName(**value) for task, value in read_json(file.read_text("utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{file} is damaged ({type(error).__name__}); delete it, and `triptych models use` the model again") from error


def write_served_names(repository: Repository, names: Names) -> Path:
    """Write the file; returns it. Into a copy of the repository: it is put in place together with the models."""
    file = repository.root / FILE
    known = {task: asdict(name) for task, name in names.items() if name is not None}
    file.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    return file
