"""When Triton may form the next batch: shortly before a place in the runtime is free, so that what comes meanwhile still joins it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

LEAD_SECONDS = 0.01
"""How long before: the next batch is formed, brought here and stacked meanwhile. Runs shorter than this, on accelerators, are not
waited for."""


@dataclass(slots=True)
class Run:
    """A batch in the runtime's hands; `began` is None while those before it compute."""

    rows: int
    began: float | None


class Pace:
    """Batches given to a runtime that computes `parallel` of them side by side and lets others wait. Remembers how long batches of each
    size took; one of a size that it has not seen is not waited for."""

    def __init__(self, parallel: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._parallel = parallel
        self._clock = clock
        self._changed = threading.Condition()
        self._runs: list[Run] = []  # in the order in which they began
        self._seconds: dict[int, float] = {}

    def started(self, rows: int) -> Run:
        """A batch is handed to the runtime."""
        with self._changed:
            run = Run(rows, self._clock() if len(self._runs) < self._parallel else None)
            self._runs.append(run)
            return run

    def ended(self, run: Run) -> None:
        """Its answers are there, or it has failed."""
        with self._changed:
            now = self._clock()
            self._runs.remove(run)
            if run.began is not None:
                self._seconds[run.rows] = now - run.began
            for next_run in self._runs[: self._parallel]:
                next_run.began = now if next_run.began is None else next_run.began
            self._changed.notify_all()

    def wait(self) -> None:
        """Until a place is free, or will be within LEAD_SECONDS."""
        with self._changed:
            while (left := self.seconds_left()) > 0:
                self._changed.wait(left)

    def seconds_left(self) -> float:
        """How long to wait still; infinite until a run ends, where the places that become free are promised to others."""
        if len(self._runs) < self._parallel:
            return 0.0
        if len(self._runs) > self._parallel:
            return threading.TIMEOUT_MAX
        ends = [(run.began or 0.0) + self._seconds.get(run.rows, 0.0) for run in self._runs]
        return min(ends) - LEAD_SECONDS - self._clock()
