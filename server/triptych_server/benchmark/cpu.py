"""Who burns the CPU: a server's process tree -> CPU seconds by role between two moments."""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import psutil

from triptych_server.benchmark.machine import usable_cores

STUB = "triton_python_backend_stub"
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class CpuUse:
    """CPU seconds (user and system) by role, the wall seconds in which they were used, and those all cores together were idle."""

    seconds: Mapping[str, float]
    wall: float
    idle: float

    def idle_share(self, cores: int) -> float:
        """The part of all cores' time in which nothing ran, 0 to 1."""
        return min(1.0, self.idle / (cores * self.wall))

    def others_share(self, cores: int) -> float:
        """The part of all cores' time that processes other than these took, 0 to 1; it ought to be near 0."""
        return min(1.0, max(0.0, 1 - (sum(self.seconds.values()) + self.idle) / (cores * self.wall)))

    def per_request_ms(self, requests_per_second: float) -> dict[str, float]:
        """CPU milliseconds that each role spent on one request."""
        requests = requests_per_second * self.wall
        return {role: 1e3 * spent / requests for role, spent in self.seconds.items()}


@dataclass(frozen=True, slots=True)
class CpuClock:
    """A moment: CPU seconds so far by role, and idle seconds so far of all cores."""

    seconds: Mapping[str, float]
    moment: float
    idle: float

    @classmethod
    def read(cls, roots: Mapping[str, int]) -> Self:
        """`roots` names process ids. A child that is a Triton stub counts under its model's name, others under their root's."""
        seconds: dict[str, float] = {}
        for role, pid in roots.items():
            root = psutil.Process(pid)
            _add(seconds, role, root)
            for child in root.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
                    _add(seconds, stub_model(child.cmdline()) or role, child)
        system = psutil.cpu_times()
        return cls(seconds, time.perf_counter(), system.idle + system.iowait)

    def until(self, later: "CpuClock") -> CpuUse:
        """What was used between two readings of the same processes."""
        used = {role: spent - self.seconds.get(role, 0.0) for role, spent in later.seconds.items()}
        return CpuUse(used, later.moment - self.moment, later.idle - self.idle)


def others_share_of(pid: int, work: Callable[[], Result]) -> tuple[Result, float]:
    """Do some work with a server: what came of it, and the share of all cores' time that neither the server nor this process took.
    Counted by process, for those of a model that was just loaded anew may still be ending."""
    before, system, moment = _by_process(pid), psutil.cpu_times(), time.perf_counter()
    done = work()
    after, later, wall = _by_process(pid), psutil.cpu_times(), time.perf_counter() - moment
    used = sum(seconds - before.get(each, 0.0) for each, seconds in after.items())
    use = CpuUse({"these": used}, wall, later.idle + later.iowait - system.idle - system.iowait)
    return done, use.others_share(usable_cores())


def _by_process(pid: int) -> dict[int, float]:
    """CPU seconds so far of this process, and of a server's and its children."""
    found, root = dict[int, float](), psutil.Process(pid)
    for each in (psutil.Process(), root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
            times = each.cpu_times()
            found[each.pid] = times.user + times.system
    return found


def _add(seconds: dict[str, float], role: str, process: psutil.Process) -> None:
    times = process.cpu_times()
    seconds[role] = seconds.get(role, 0.0) + times.user + times.system


def stub_model(command: list[str]) -> str | None:
    """The model a Triton stub serves, from its first argument, <model>/<version>/<file>; None for any other process."""
    if len(command) < 2 or Path(command[0]).name != STUB:
        return None
    return Path(command[1]).parents[1].name
