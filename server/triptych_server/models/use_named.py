"""Make a model of the catalogue, or of any hub repository in that layout, the served one: pulled if need be, imported, put in place."""

from triptych_server.errors import NotCachedError
from triptych_server.models.any_folder import Placed, use_any
from triptych_server.models.cache import Cache
from triptych_server.models.model_name import ModelName
from triptych_server.models.pull import REVISION, Silent, Watcher, cached_folder
from triptych_server.models.served_names import ServedName, served_names
from triptych_server.models.unconverted import refuse_unconverted
from triptych_server.repository import Repository

NETWORKS = {"clip": ("clip_visual", "clip_textual", "clip_tokenize"), "faces": ("face_detection", "face_recognition")}
"""The models that hold a task's weights."""


def use_named(
    model: ModelName,
    repository: Repository,
    *,
    cache: Cache,
    revision: str = REVISION,
    legacy_resize: bool | None = None,
    swap: bool = True,
    watcher: Watcher | None = None,
) -> Placed:
    """Serve the model from `repository`, and note the name. `legacy_resize` as in `use_folder`; None: as the model is served now, and not
    where it is another. Errors are those of `refuse_unconverted`, `cached_folder` and `use_any`; nothing changes then."""
    watcher = watcher or Silent()
    served = next((name for name in served_names(repository).values() if name.repository == model.repository), None)
    if legacy_resize is None and served and served.legacy_resize:
        watcher.say("pictures stay resized as Immich did up to 3.2; --no-legacy-resize ends that")
    legacy = served is not None and served.legacy_resize if legacy_resize is None else legacy_resize
    if swap:
        refuse_unconverted(str(model), repository)
    cached_folder(str(model), revision, cache=cache, watcher=watcher)
    with cache.kept(model, watcher.say):
        cached = cache.find(model, revision)
        if cached is None:
            raise NotCachedError(f"{model} was removed from the cache while it was to be used; try again")
        name = ServedName(model.repository, revision, cached.manifest.commit, legacy)
        return use_any(cached.folder, repository, name=name, legacy_resize=legacy, swap=swap)


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
