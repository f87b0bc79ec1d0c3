"""Make a model of the catalogue, or of any hub repository in that layout, the served one: pulled if need be, imported, put in place."""

from pathlib import Path

from triptych_server.models.any_folder import Placed, use_any
from triptych_server.models.cache import Cache
from triptych_server.models.model_name import ModelName
from triptych_server.models.pull import REVISION, Silent, Watcher, cached_folder
from triptych_server.models.served_names import ServedName, served_names, write_served_names
from triptych_server.repository import Repository


def use_named(
    model: ModelName,
    repository: Repository,
    *,
    cache: Cache,
    revision: str = REVISION,
    legacy_resize: bool = False,
    swap: bool = True,
    watcher: Watcher | None = None,
) -> Placed:
    """Serve the model from `repository`, and note the name. Errors are those of `cached_folder` and `use_any`; nothing changes then."""
    watcher = watcher or Silent()
    folder = cached_folder(str(model), revision, cache=cache, watcher=watcher)
    with cache.locked(model, watcher.say):  # nobody removes it meanwhile
        cached = cache.find(model, revision)
        placed = use_any(folder, repository, legacy_resize=legacy_resize, swap=swap)
    if cached is not None:
        name = ServedName(model.repository, revision, cached.manifest.commit)
        write_served_names(repository, {**served_names(repository), placed.task: name})
    return placed


def use_unnamed(folder: Path, repository: Repository, *, legacy_resize: bool = False, swap: bool = True) -> Placed:
    """Serve the model of a folder, of which no name is known."""
    placed = use_any(folder, repository, legacy_resize=legacy_resize, swap=swap)
    write_served_names(repository, {task: name for task, name in served_names(repository).items() if task != placed.task})
    return placed
