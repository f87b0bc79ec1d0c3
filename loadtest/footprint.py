"""What a server holds of the machine at a moment: memory and open files of each of its processes, and its shared memory."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from triptych_server.benchmark.cpu import stub_model

SHM = Path("/dev/shm")
SERVER = "tritonserver"


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of memory (unique to it: what others share with it counts nowhere twice), open files by process (a stub by its model's name),
    and bytes of shared memory in use."""

    memory: Mapping[str, int]
    files: Mapping[str, int]
    shared: int

    @classmethod
    def read(cls, pid: int) -> Self:
        """Of the Triton of this process id, and its stubs."""
        memory, files = dict[str, int](), dict[str, int]()
        for process in family(pid):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):  # it ended meanwhile
                name = SERVER if process.pid == pid else stub_model(process.cmdline()) or process.name()
                memory[name] = memory.get(name, 0) + process.memory_info().rss - process.memory_info().shared
                files[name] = files.get(name, 0) + process.num_fds()
        return cls(memory, files, sum(region_bytes(pid).values()))


def family(pid: int) -> list[psutil.Process]:
    """A process and all below it that live."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def region_bytes(pid: int, shm: Path = SHM) -> dict[str, int]:
    """The shared-memory regions that a process has mapped, and the bytes that each takes (not what it may grow to)."""
    found = {}
    with contextlib.suppress(OSError):  # the process or a region is gone
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            path = line.rpartition(" ")[2]
            if path.startswith(f"{shm}/") and path not in found and Path(path).exists():
                found[path] = Path(path).stat().st_blocks * 512
    return found
