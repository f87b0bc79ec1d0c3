"""Whether a starting Triton does anything: one whose stub never answers waits for it without end, and uses no CPU."""

import contextlib
import time

import psutil

STALL_SECONDS = 60.0
BUSY = 0.03
"""Of a core: thirteen models that wait use a tenth of it, whatever loads or compiles uses many times as much."""


class StallWatch:
    """Over a process and its children; ask it again and again."""

    def __init__(self, pid: int) -> None:
        self._pid, self._seconds = pid, STALL_SECONDS
        self._since, self._used = time.monotonic(), _cpu_seconds(pid)

    def stalled(self) -> bool:
        """True once less than BUSY of a core was used for the whole of the time."""
        now = time.monotonic()
        if now < self._since + self._seconds:
            return False
        used = _cpu_seconds(self._pid)
        idle = 0 <= used - self._used < BUSY * (now - self._since)  # less than before: a child has ended, so something happens
        self._since, self._used = now, used
        return idle


def _cpu_seconds(pid: int) -> float:
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system  # compilers come and go
    return total
