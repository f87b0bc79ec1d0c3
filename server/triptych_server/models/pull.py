"""Pull a model: from the hub's listing through a checked download to a folder in the cache, whole or not at all."""

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from triptych_server.errors import ChecksumError, DiskSpaceError, HubUnreachableError, NotCachedError
from triptych_server.models.cache import Cache, Cached
from triptych_server.models.download import download
from triptych_server.models.hub import Hub, is_offline
from triptych_server.models.hub_errors import hub_errors
from triptych_server.models.listing import HubFile, Listing
from triptych_server.models.manifest import Manifest, ManifestFile, hashed, mismatch
from triptych_server.models.model_name import ModelName, model_name

REVISION = "main"
"""Immich's legacy exports; `v2` are its newer ones."""


class Watcher(Protocol):
    """Hears how a pull goes on."""

    def begin(self, total: int, there: int) -> None:
        """`total` bytes are wanted, `there` of them were there already."""

    def advance(self, size: int) -> None:
        """So many more bytes came; a negative number: so many were thrown away."""

    def say(self, sentence: str) -> None:
        """Something that the user may want to know."""


class Silent:
    """A watcher that keeps quiet."""

    def begin(self, total: int, there: int) -> None: ...
    def advance(self, size: int) -> None: ...
    def say(self, sentence: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Pulled:
    """What is in the cache now, and whether it had been there, so that nothing was fetched."""

    cached: Cached
    was_there: bool


def pull(
    model: ModelName,
    *,
    cache: Cache,
    hub: Hub,
    revision: str = REVISION,
    again: bool = False,
    watcher: Watcher | None = None,
    patience: float = 600.0,
) -> Pulled:
    """Bring a model into the cache and return it. `again`: check what is there by its checksums and fetch what is damaged.

    A HubError, or an error of the cache, leaves what the cache held in use; what came of a download is kept for the next pull.
    With HF_HUB_OFFLINE set, the cache alone is asked (NotCachedError).
    """
    watcher = watcher or Silent()
    if is_offline():
        return Pulled(_offline(model, cache, revision), True)
    try:
        listing = hub.listing(model.repository, revision)
    except HubUnreachableError as error:
        raise HubUnreachableError(f"{error}. {_in_cache(cache)}") from error
    with cache.locked(model, watcher.say, patience):
        there = cache.find(model, listing.commit)
        if there and not again and _is_complete(there, listing):
            cache.keep(model, revision, there.snapshot, listing.commit)
            return Pulled(_kept(model, cache, listing.commit), True)
        staged = cache.home(model) / "partial" / listing.commit
        try:
            _fetch(model, listing, staged, cache, hub, watcher)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DiskSpaceError(f"the disk of {cache.root} is full; make room and pull again: what has come is kept") from error
        except HubUnreachableError as error:
            raise HubUnreachableError(f"{error}. What has come is kept: pull again to go on") from error
        cache.keep(model, revision, staged, listing.commit)
        return Pulled(_kept(model, cache, listing.commit), False)


def cached_folder(
    name: str, revision: str = REVISION, *, cache: Cache | None = None, organisation: str | None = None, watcher: Watcher | None = None
) -> Path:
    """The folder of a model by any spelling of its name, as the hub lays it out; pulled when the cache does not have it.

    Nothing is asked of the hub where the cache has the revision. NotCachedError when it does not and HF_HUB_OFFLINE is set.
    """
    model = model_name(name, organisation)
    cache = cache or Cache.locate()
    found = cache.find(model, revision)
    if found is None:
        hub = Hub.from_environment()
        found = pull(model, cache=cache, hub=hub, revision=revision, watcher=watcher).cached
    return found.folder


def _fetch(model: ModelName, listing: Listing, staged: Path, cache: Cache, hub: Hub, watcher: Watcher) -> None:
    """Fill `staged` with checked files and the manifest."""
    for other in staged.parent.glob("*"):
        if other != staged:  # of a commit that nobody asks for any more
            shutil.rmtree(other, ignore_errors=True)
    files = staged / model.name
    files.mkdir(parents=True, exist_ok=True)
    _take_over(cache.of(model), listing, files)
    there = {file.path: _size(files / file.path) for file in listing.files}
    have = sum(min(there[file.path], file.size) for file in listing.files)
    _check_room(cache.root, listing, listing.size - have)
    watcher.begin(listing.size, have)
    listed = [_fetch_file(file, files / file.path, listing, hub, watcher.advance) for file in listing.files]
    Manifest(listing.repository, listing.revision, listing.commit, hub.endpoint, tuple(listed)).write(staged)


def _fetch_file(file: HubFile, target: Path, listing: Listing, hub: Hub, advance: Callable[[int], None]) -> ManifestFile:
    with hub_errors(hub.endpoint, listing.repository, listing.revision, hub.timeout):
        download(hub, hub.url(listing, file.path), target, file.size, advance)
    if wrong := mismatch(target, file):
        target.unlink()
        raise ChecksumError(
            f"{file.path} of {listing.repository} arrived damaged: {wrong}. It was thrown away, and the cache is as it was; pull again"
        )
    return ManifestFile(file.path, file.size, file.sha256 or hashed(target))


def _take_over(cached: list[Cached], listing: Listing, files: Path) -> None:
    """Link the files that are the same in another commit (hubs add pictures and other runtimes' files all the time)."""
    for file in listing.files:
        target = files / file.path
        if target.exists():
            continue
        for other in cached:
            source = other.folder / file.path
            if source.is_file() and source.stat().st_size == file.size and (file.sha256 or file.blob) and not mismatch(source, file):
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(source, target)
                except OSError:  # a file system without links
                    shutil.copyfile(source, target)
                break


def _check_room(root: Path, listing: Listing, wanted: int) -> None:
    """DiskSpaceError, before anything is fetched, where it does not fit."""
    free = shutil.disk_usage(root).free
    if wanted > free:
        raise DiskSpaceError(
            f"{listing.repository} needs {wanted / 1e6:,.0f} MB more, and {free / 1e6:,.0f} MB are free in {root}; make room "
            "(`triptych models remove`), or name another place with --cache or TRIPTYCH_CACHE"
        )


def _is_complete(there: Cached, listing: Listing) -> bool:
    """Whether all files are there, by their sizes; `verify` reads them."""
    return all(_size(there.folder / file.path) == file.size for file in listing.files)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _kept(model: ModelName, cache: Cache, commit: str) -> Cached:
    found = cache.find(model, commit)
    if found is None:
        raise NotCachedError(f"{model} was removed from {cache.root} while it was pulled; pull it again")
    return found


def _offline(model: ModelName, cache: Cache, revision: str) -> Cached:
    found = cache.find(model, revision)
    if found is None:
        raise NotCachedError(f"HF_HUB_OFFLINE is set, and {model} at {revision} is not in the cache. {_in_cache(cache)}")
    return found


def _in_cache(cache: Cache) -> str:
    """What can be used without a hub, as a sentence."""
    names = ", ".join(f"{cached.model} ({', '.join(cached.revisions)})" for cached in cache.all())
    return f"In the cache: {names or 'nothing'} ({cache.root})"
