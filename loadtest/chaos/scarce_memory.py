"""Too little memory for one process: a cgroup of its own, over whose limit the kernel kills, or allocations that fail."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import psutil

ROOM = 4 << 20
"""Bytes that the process may still take: less than a batch needs, and more than a signal's handler does."""
_MOUNT = Path("/sys/fs/cgroup")
_LIMITS = ("memory.limit_in_bytes", "memory.max")
"""Of version 1, and of version 2."""


def memory_group(name: str) -> Path:
    """A new memory cgroup below that of this process, whose limits go on counting, or beside it: in version 2 only one that holds no
    process may have limited ones below it. OSError where the machine allows neither."""
    paths = dict[str, str]()
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, kinds, path = line.split(":", 2)
        paths[kinds] = path.lstrip("/")
    own = [_MOUNT / "memory" / paths["memory"]] if "memory" in paths else [_MOUNT / paths.get("", "")]
    for place in (*own, *(each.parent for each in own if each != _MOUNT)):
        group = place / name
        with contextlib.suppress(OSError):
            group.mkdir()
            if _limit(group).exists():
                return group
            group.rmdir()
    raise PermissionError(f"no memory cgroup can be made below {own[0]}")


@contextlib.contextmanager
def killed_when_short(process: psutil.Process, room: int = ROOM) -> Iterator[None]:
    """Within the block the process is killed by the kernel as soon as it takes more than `room` bytes besides what it holds. OSError where
    no cgroup can be made."""
    group = memory_group(f"triptych-{process.pid}")
    back = group.parent / "cgroup.procs"
    try:
        _limit(group).write_text(str(room), encoding="ascii")
        (group / "cgroup.procs").write_text(str(process.pid), encoding="ascii")
        yield
    finally:
        for pid in (group / "cgroup.procs").read_text(encoding="ascii").split():  # it has lived on
            with contextlib.suppress(OSError):
                back.write_text(pid, encoding="ascii")
        group.rmdir()


@contextlib.contextmanager
def refused_when_short(process: psutil.Process, room: int = ROOM) -> Iterator[None]:
    """Within the block allocations of the process fail that take its address space more than `room` bytes further."""
    before = resource.prlimit(process.pid, resource.RLIMIT_AS)
    resource.prlimit(process.pid, resource.RLIMIT_AS, (process.memory_info().vms + room, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_AS, before)


def _limit(group: Path) -> Path:
    return next((group / name for name in _LIMITS if (group / name).exists()), group / _LIMITS[-1])
