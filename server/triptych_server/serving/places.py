"""How many batches a runtime is given at once: as many as it computes, so that all others wait where later requests still join them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

SHORT_SECONDS = 0.01
"""Runs shorter than this, on accelerators, would end before the next batch is stacked: one more is given, and waits inside the runtime."""


class Places:
    """The places of a runtime that takes `concurrency` runs, one of which waits its turn inside it; `every`: all are given out, however
    long a run takes. `computing`: so many compute at the same time."""

    def __init__(self, concurrency: int, *, every: bool = False) -> None:
        self._most, self.computing = concurrency, concurrency if every else max(1, concurrency - 1)
        self._limit = self.computing
        self._taken = self._running = 0
        self._changed = threading.Condition()

    @contextmanager
    def one(self) -> Iterator["Place"]:
        """Wait for a place; it is free again when its run has computed, or at the end of the block."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken < self._limit)
            self._taken += 1
        place = Place(self)
        try:
            yield place
        finally:
            place.free()

    def started(self) -> int:
        """A run begins; how many run now."""
        with self._changed:
            self._running += 1
            return self._running

    def freed(self, running: int, seconds: float | None) -> None:
        """A place is free; `running` of `started`, 0 if its run never began, and how long it took, None if it failed."""
        with self._changed:
            self._taken -= 1
            self._running -= running > 0
            if seconds is not None:
                alone = seconds * self.computing / max(running, self.computing)  # the rest of the time it waited its turn
                self._limit = self._most if alone < SHORT_SECONDS else self.computing
            self._changed.notify_all()


class Place:
    """One place, for one batch."""

    def __init__(self, places: Places) -> None:
        self._places, self._running, self._is_free = places, 0, False

    def start(self) -> None:
        """Its run begins."""
        if not (self._is_free or self._running):
            self._running = self._places.started()

    def free(self, seconds: float | None = None) -> None:
        """Give it back, once; `seconds` is how long its run computed."""
        if not self._is_free:
            self._is_free = True
            self._places.freed(self._running, seconds)
