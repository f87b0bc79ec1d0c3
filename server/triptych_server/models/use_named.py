"""Make a model of the catalogue, or of any hub repository in that layout, the served one: pulled if need be, imported, put in place."""

from triptych_server.errors import NotCachedError
from triptych_server.models.any_folder import Placed, use_any
from triptych_server.models.cache import Cache
from triptych_server.models.model_name import ModelName
from triptych_server.models.pull import REVISION, Silent, Watcher, cached_folder
from triptych_server.models.served_names import ServedName, served_names
from triptych_server.repository import Repository

NETWORKS = {"clip": ("clip_visual", "clip_textual", "clip_tokenize"), "faces": ("face_detection", "face_recognition")}
"""The models that hold a task's weights."""


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


def ensure_named(
    model: ModelName, repository: Repository, *, cache: Cache, revision: str = REVISION, watcher: Watcher | None = None
) -> bool:
    """Serve the model from `repository` unless it does already, by the name that was noted; whether something changed."""
    wanted = (model.repository, revision)
    for task, name in served_names(repository).items():
        if (name.repository, name.revision) == wanted and not repository.missing_weights(*NETWORKS[task]):
            return False
    use_named(model, repository, cache=cache, revision=revision, watcher=watcher)
    return True
