"""Whether a starting Triton does anything: one whose stub never answers waits for it without end, and uses neither CPU nor disk."""

import contextlib
import time
from dataclasses import dataclass

import psutil

STALL_SECONDS = 60.0
BUSY = 0.03
"""Of a core: thirteen models that wait use a tenth of it, whatever loads or compiles uses many times as much."""
READING = 1 << 20
"""Bytes read and written in that time: a start that waits for a slow disk moves more, one that hangs nothing but a line of its log."""


class StallWatch:
    """Over a process and its children; ask it again and again."""

    def __init__(self, pid: int) -> None:
        self._pid, self._seconds = pid, STALL_SECONDS
        self._since, self._used = time.monotonic(), _usage(pid)

    def stalled(self) -> bool:
        """True once less than BUSY of a core and READING bytes were used for the whole of the time."""
        now = time.monotonic()
        if now < self._since + self._seconds:
            return False
        used = _usage(self._pid)
        cpu, moved = used.cpu - self._used.cpu, used.moved - self._used.moved
        idle = 0 <= cpu < BUSY * (now - self._since) and 0 <= moved < READING  # less than before: a child has ended, so something happens
        self._since, self._used = now, used
        return idle


@dataclass(frozen=True, slots=True)
class _Usage:
    """`cpu` in seconds; `moved` in bytes, to and from disks and by calls: what is mapped into memory is read without a call, and what a
    network's file system gives comes from no disk."""

    cpu: float
    moved: int


def _usage(pid: int) -> _Usage:
    cpu, moved = 0.0, 0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                cpu += times.user + times.system + times.children_user + times.children_system  # compilers come and go
            with contextlib.suppress(psutil.Error, OSError, RuntimeError, AttributeError):  # not every kernel and container tells
                io = each.io_counters()
                moved += io.read_bytes + io.write_bytes + io.read_chars + io.write_chars
    return _Usage(cpu, moved)
