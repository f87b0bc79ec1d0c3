"""The memory of a server while it works: its process tree, looked at several times a second -> the peaks."""

import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

MIB = 1 << 20
INTERVAL = 0.5
SHM = "/dev/shm/"


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB: resident (shared pages counted in each process), proportional (counted once), and of it what lies in /dev/shm."""

    rss: float = 0.0
    pss: float = 0.0
    shm: float = 0.0

    @classmethod
    def read(cls, pid: int) -> Self:
        """Of a process and its children."""
        root = psutil.Process(pid)
        rss = pss = 0
        regions: set[Path] = set()
        for each in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.Error, OSError):  # it ended meanwhile
                full = each.memory_full_info()
                rss, pss = rss + full.rss, pss + full.pss
                regions |= _regions(each.pid)
        return cls(rss / MIB, pss / MIB, sum(map(_size, regions)) / MIB)

    def most(self, other: "Memory") -> "Memory":
        """The larger of each."""
        return Memory(max(self.rss, other.rss), max(self.pss, other.pss), max(self.shm, other.shm))


class MemoryWatch:
    """Inside the block a thread looks; after it `peak` is what was seen."""

    def __init__(self, pid: int) -> None:
        self.peak = Memory()
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        with contextlib.suppress(psutil.Error):  # the server ended; whoever measures it will say so
            while True:
                self.peak = self.peak.most(Memory.read(self._pid))
                if self._done.wait(INTERVAL):
                    return


def _regions(pid: int) -> set[Path]:
    """The files of /dev/shm that a process has mapped."""
    lines = Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines()
    return {Path(line[line.index(SHM) :]) for line in lines if SHM in line and not line.endswith("(deleted)")}


def _size(file: Path) -> int:
    """Bytes that it really occupies."""
    with contextlib.suppress(OSError):
        return file.stat().st_blocks * 512
    return 0
