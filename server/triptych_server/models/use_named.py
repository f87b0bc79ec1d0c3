"""Make a model of the catalogue, or of any hub repository in that layout, the served one: pulled if need be, imported, put in place."""

from triptych_server.errors import NotCachedError
from triptych_server.models.any_folder import Placed, use_any
from triptych_server.models.cache import Cache
from triptych_server.models.model_name import ModelName
from triptych_server.models.pull import REVISION, Silent, Watcher, cached_folder
from triptych_server.models.served_names import ServedName
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
    cached_folder(str(model), revision, cache=cache, watcher=watcher)
    with cache.locked(model, watcher.say):  # nobody removes it meanwhile
        cached = cache.find(model, revision)
        if cached is None:
            raise NotCachedError(f"{model} was removed from the cache while it was to be used; try again")
        name = ServedName(model.repository, revision, cached.manifest.commit)
        return use_any(cached.folder, repository, name=name, legacy_resize=legacy_resize, swap=swap)
