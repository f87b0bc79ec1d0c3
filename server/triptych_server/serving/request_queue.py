"""A bounded queue of requests in two priorities, from which batches are taken.

It stands in for Triton's own: given a bound, a time limit or priorities, that one holds requests for up to half a second
(docs/decisions.md).
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
URGENT, BULK = 1, 2
"""Priorities: what is urgent is taken first."""


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Item]):
    """A request of Triton's and what was read from it. `rows` are its part of a batch; only those of one `kind` share a batch. `since` and
    `deadline` by the queue's clock, in seconds."""

    request: Any
    item: Item
    rows: int
    kind: Hashable
    priority: int
    since: float
    deadline: float


@dataclass(frozen=True, slots=True)
class Taken(Generic[Item]):
    """What left the queue: a batch, and those whose time was over."""

    batch: list[Waiting[Item]]
    expired: list[Waiting[Item]]


class RequestQueue(Generic[Item]):
    """At most `bound` requests of each priority wait, so that bulk work never turns an urgent request away. Any thread may put and take."""

    def __init__(self, bound: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._bound, self._clock = bound, clock
        self._lines: dict[int, deque[Waiting[Item]]] = {URGENT: deque(), BULK: deque()}
        self._changed = threading.Condition()
        self._closing = False

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def put(self, arrived: Sequence[Waiting[Item]]) -> list[Waiting[Item]]:
        """Let them wait, all at once; those for which there is no room are given back."""
        refused: list[Waiting[Item]] = []
        with self._changed:
            for waiting in arrived:
                line = self._lines[waiting.priority]
                (line if len(line) < self._bound else refused).append(waiting)
            self._changed.notify_all()
        return refused

    def wait(self) -> None:
        """Until something waits here, or nothing ever will."""
        with self._changed:
            self._changed.wait_for(lambda: len(self) or self._closing)

    def is_enough(self, most_rows: int) -> bool:
        """Whether more would make no better batch: it is full, somebody in it is in a hurry, or nothing more can come, for the queue is
        full or closing."""
        with self._changed:
            bulk = self._lines[BULK]
            no_more = self._closing or len(bulk) >= self._bound
            return bool(no_more or self._lines[URGENT]) or sum(each.rows for each in bulk) >= most_rows

    def is_over(self) -> bool:
        """Whether it is closed and empty."""
        with self._changed:
            return self._closing and not len(self)

    def take(self, most_rows: int) -> Taken[Item] | None:
        """Wait for requests, and take as many of the first ones as make `most_rows` together, or one that is larger; none overtakes another
        of its priority. Whose time is over leaves as well, wherever it stands: bulk work that urgent work never lets through is told in
        the end. None when the queue is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: len(self) or self._closing)
            return self._next(most_rows) if len(self) else None

    def close(self) -> None:
        """Nothing will be put any more: whoever waits in `take` gets what is left, then None."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _next(self, most_rows: int) -> Taken[Item]:
        taken: Taken[Item] = Taken([], self._expired(self._clock()))
        rows = 0
        for _, line in sorted(self._lines.items()):
            while line:
                first = line[0]
                if not taken.batch or (rows + first.rows <= most_rows and first.kind == taken.batch[0].kind):
                    taken.batch.append(line.popleft())
                    rows += first.rows
                else:
                    return taken
        return taken

    def _expired(self, now: float) -> list[Waiting[Item]]:
        expired: list[Waiting[Item]] = []
        for priority, line in self._lines.items():
            if late := [waiting for waiting in line if waiting.deadline <= now]:
                expired += late
                self._lines[priority] = deque(waiting for waiting in line if waiting.deadline > now)
        return expired
