"""The cache of pulled models: names and revisions in, folders out. Nothing here asks a hub.

    <root>/<organisation>/<name>/refs/<revision>                      the commit that it was when it was last pulled
                                 snapshots/<commit>/manifest.json     what was checked
                                 snapshots/<commit>/<name>/...        the files, as the hub lays them out
                                 partial/<commit>/...                 a pull that is under way or was interrupted
                                 lock                                 held by who changes any of this

A snapshot gets its name when it is complete and checked, so whatever is below `snapshots` can be used.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote

import platformdirs
from filelock import FileLock, Timeout

from triptych_server.errors import CacheBusyError, CacheError
from triptych_server.models.manifest import FILE, Manifest
from triptych_server.models.model_name import ModelName

_logger = logging.getLogger(__name__)
_SHORT = 7  # digits of a commit's hash that are taken for one


@dataclass(frozen=True, slots=True)
class Cached:
    """A snapshot: the model, the revisions that name it, and what the manifest says."""

    model: ModelName
    revisions: tuple[str, ...]
    manifest: Manifest
    snapshot: Path

    @property
    def folder(self) -> Path:
        """The files as the hub lays them out; its name is the model's."""
        return self.snapshot / self.model.name


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of pulled models."""

    root: Path

    @classmethod
    def locate(cls, root: Path | None = None) -> Self:
        """The folder given, $TRIPTYCH_CACHE, else ~/.cache/triptych/models. It need not exist yet."""
        named = os.environ.get("TRIPTYCH_CACHE")
        return cls(Path(root or named or platformdirs.user_cache_path("triptych") / "models").expanduser().absolute())

    def home(self, model: ModelName) -> Path:
        """Where everything of one model is."""
        return self.root / model.organisation / model.name

    def of(self, model: ModelName) -> list[Cached]:
        """Every snapshot of a model. CacheError when a manifest is damaged."""
        home = self.home(model)
        names: dict[str, list[str]] = {}
        for file in sorted((home / "refs").glob("*")):
            names.setdefault(file.read_text("utf-8").strip(), []).append(unquote(file.name))
        return [
            Cached(model, tuple(names.get(manifest.parent.name, ())), Manifest.read(manifest.parent), manifest.parent)
            for manifest in sorted((home / "snapshots").glob(f"*/{FILE}"))
        ]

    def models(self) -> list[ModelName]:
        """Every model of which there is a snapshot."""
        homes = sorted({folder.parent for folder in self.root.glob("*/*/snapshots")})
        return [ModelName(home.parent.name, home.name) for home in homes]

    def all(self) -> list[Cached]:
        """Every snapshot of every model, without the models of which a manifest is damaged: a warning says how to mend each."""
        found = []
        for model in self.models():
            try:
                found += self.of(model)
            except CacheError as error:
                _logger.warning("%s", error)
        return found

    def find(self, model: ModelName, revision: str) -> Cached | None:
        """The snapshot that a revision named when it was pulled, or a commit's by seven or more digits of its hash."""
        for cached in self.of(model):
            is_commit = len(revision) >= _SHORT and cached.manifest.commit.startswith(revision)
            if revision in cached.revisions or is_commit:
                return cached
        return None

    def keep(self, model: ModelName, revision: str, staged: Path, commit: str) -> None:
        """Give a checked folder its place under `commit`, and let `revision` name it. Snapshots that nothing names any more go.

        Call it with the lock held.
        """
        home = self.home(model)
        snapshot = home / "snapshots" / commit
        snapshot.parent.mkdir(parents=True, exist_ok=True)
        if staged != snapshot:
            aside = home / "partial" / "replaced"
            shutil.rmtree(aside, ignore_errors=True)
            if snapshot.exists():
                snapshot.rename(aside)
            staged.rename(snapshot)
        ref = self._ref(model, revision)
        ref.parent.mkdir(exist_ok=True)
        written = home / f".{ref.name}.new"
        written.write_text(f"{commit}\n", encoding="utf-8")
        written.replace(ref)
        for cached in self.of(model):
            if not cached.revisions:
                shutil.rmtree(cached.snapshot)
        shutil.rmtree(home / "partial", ignore_errors=True)

    def remove(self, model: ModelName, revision: str | None = None) -> None:
        """Delete a model, or one revision of it: a name, and the files with the last name; or a commit. Call it with the lock held."""
        if revision is None:
            for part in ("refs", "snapshots", "partial"):
                shutil.rmtree(self.home(model) / part, ignore_errors=True)
        elif found := self.find(model, revision):
            names = (revision,) if revision in found.revisions else found.revisions
            for name in names:
                self._ref(model, name).unlink(missing_ok=True)
            if set(names) == set(found.revisions):
                shutil.rmtree(found.snapshot)

    @contextmanager
    def locked(self, model: ModelName, say: Callable[[str], None], patience: float = 600.0) -> Iterator[None]:
        """Keep other processes off a model while the block runs. CacheBusyError after `patience` seconds of waiting for one."""
        home = self.home(model)
        home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(home / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(f"another process is pulling or removing {model}; waiting up to {patience:g} s for it")
            try:
                lock.acquire(timeout=patience, poll_interval=0.2)
            except Timeout:
                raise CacheBusyError(
                    f"another process has held {model} in the cache for over {patience:g} s; wait for it to end, or end it, and try again"
                ) from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def kept(self, model: ModelName, say: Callable[[str], None]) -> Iterator[None]:
        """Let nobody remove a model while the block reads it. A cache that cannot be written cannot be locked either, and is read as it
        is: a copy that an image or a read-only volume brings."""
        with self.locked(model, say) if os.access(self.home(model), os.W_OK) else nullcontext():
            yield

    def _ref(self, model: ModelName, revision: str) -> Path:
        """The file that holds the commit of a revision, whose name may hold a slash (refs/pr/2)."""
        return self.home(model) / "refs" / quote(revision, safe="")
