"""What of a repository can be loaded: the repository in; its models, and those left out with the files that they lack, out."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from triptych_server.configs.read import read_config
from triptych_server.errors import ConfigError
from triptych_server.repository import Repository

CALLED_BY_PARAMETER = ("recognition_model",)
"""Parameters of Python models that name a model which they call themselves."""


@dataclass(frozen=True, slots=True)
class Servable:
    """`models`: folders of what can be loaded. `left_out`: the other models, each with the files that it or a model it needs lacks."""

    models: tuple[Path, ...]
    left_out: Mapping[str, tuple[str, ...]]

    @property
    def missing(self) -> list[str]:
        """All files that are lacking, relative to the repository."""
        return sorted({file for files in self.left_out.values() for file in files})

    @property
    def has_network(self) -> bool:
        """Whether there is anything but what comes before and after the networks."""
        return any(folder.parent.name == "model_repository" for folder in self.models)


def find_servable(repository: Repository) -> Servable:
    """Sort the models by whether their weights, and those of every model they need, are in place."""
    folders = {folder.name: folder for folder in repository.models()}
    needed = needs_of_all(repository)
    left_out = {}
    for name in folders:
        if files := repository.missing_weights(*closure(name, needed)):
            left_out[name] = tuple(files)
    return Servable(tuple(folder for name, folder in folders.items() if name not in left_out), left_out)


def needs(folder: Path) -> set[str]:
    """The models that a model hands its work to: an ensemble's steps, and what a Python model calls.

    A config that cannot be read needs nothing: Triton is to say what is wrong with it.
    """
    try:
        config = read_config(folder / "config.pbtxt")
    except ConfigError:
        return set()
    called = {config.parameters[name].string_value for name in CALLED_BY_PARAMETER if name in config.parameters}
    return {step.model_name for step in config.ensemble_scheduling.step} | called


def needs_of_all(repository: Repository) -> dict[str, set[str]]:
    """What each model of a repository needs there."""
    folders = {folder.name: folder for folder in repository.models()}
    return {name: needs(folder) & set(folders) for name, folder in folders.items()}


def closure(name: str, needed: Mapping[str, Set[str]]) -> set[str]:
    """A model and all that it needs, however indirectly."""
    found, open_names = set[str](), {name}
    while open_names:
        found |= open_names
        open_names = {other for one in open_names for other in needed[one]} - found
    return found


def all_needed(repository: Repository, name: str) -> set[str]:
    """A model and all that it needs."""
    return closure(name, needs_of_all(repository))


def in_order(repository: Repository, models: Iterable[str]) -> list[str]:
    """Those that others need first."""
    needed = needs_of_all(repository)
    return sorted(models, key=lambda name: (len(closure(name, needed)), name))
