"""Which models should be loaded: the one place that knows, for the watch, for an idle unload, for whoever loads and unloads on purpose."""

import threading
from collections.abc import Iterable, Set

from triptych_server.engine.servable import find_servable
from triptych_server.repository import Repository


class Wanted:
    """What the engine was started with, and what changes of models have added since, without those that rest. Any thread may ask."""

    def __init__(self, repository: Repository) -> None:
        self._repository, self._lock = repository, threading.Lock()
        self._names: set[str] = set()
        self._resting: set[str] = set()

    def start(self, models: Iterable[str]) -> None:
        """A Triton was started on these; nothing rests."""
        with self._lock:
            self._names, self._resting = set(models), set()

    def seen(self, ready: Set[str]) -> None:
        """These are loaded; a model of the repository that was not known has been added by a change."""
        with self._lock:
            new = ready - self._names
            self._names |= {folder.name for folder in self._repository.models() if folder.name in new} if new else set()

    def rest(self, *models: str) -> None:
        """They are unloaded on purpose: that is no trouble. Say so before they are."""
        with self._lock:
            self._resting |= set(models)

    def wake(self, *models: str) -> None:
        """They are loaded again, whoever has done so."""
        with self._lock:
            self._resting -= set(models)

    def names(self) -> set[str]:
        """Those that should be loaded now."""
        with self._lock:
            return self._names - self._resting

    def forget_removed(self, models: set[str]) -> set[str]:
        """Of these, the ones that can still be loaded; the others' files are gone, and nobody wants them any more."""
        there = {folder.name for folder in find_servable(self._repository).models}
        with self._lock:
            self._names -= models - there
        return models & there
