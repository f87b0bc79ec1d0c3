"""Triton's Python stubs: which process serves which instance of which model, and which of them died or stands still.

Triton (2.51) neither restarts a stub that died nor says that its model is not ready. A stub that died stays its zombie; one that was
unloaded is gone.
"""

import contextlib
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

import psutil

PROGRAM = "triton_python_backend_stub"


@dataclass(frozen=True, slots=True)
class Stub:
    """The process of one instance of a model."""

    pid: int
    model: str
    instance: str


@dataclass(frozen=True, slots=True)
class Seen:
    """`dead` stubs, each with how it ended; those `stopped` by a signal; and the `living`."""

    dead: dict[Stub, str]
    stopped: tuple[Stub, ...]
    living: tuple[Stub, ...]


class Stubs:
    """Those of one Triton; ask it again and again, for what died is known only by what was seen before. Any thread may."""

    def __init__(self, triton: int) -> None:
        self._triton = triton
        self._known: dict[int, Stub] = {}
        self._looking = threading.Lock()
        self.look()

    def look(self) -> Seen:
        """All as they are now; nothing when Triton itself has ended. An instance that was loaded anew counts by its last process."""
        with self._looking:
            return self._look()

    def _look(self) -> Seen:
        states: dict[int, str] = {}
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self._triton).children():
                with contextlib.suppress(psutil.Error):
                    states[child.pid] = child.status()
                    if child.pid not in self._known and (stub := _stub(child)):
                        self._known[child.pid] = stub
        known = [stub for pid, stub in self._known.items() if pid in states]
        self._known = {stub.pid: stub for stub in known}
        last = {(stub.model, stub.instance): stub for stub in known}.values()  # in the order in which they were first seen
        return Seen(
            {stub: ending(stub.pid) for stub in last if states[stub.pid] == psutil.STATUS_ZOMBIE},
            tuple(stub for stub in last if states[stub.pid] == psutil.STATUS_STOPPED),
            tuple(stub for stub in last if states[stub.pid] != psutil.STATUS_ZOMBIE),
        )


def is_living(pid: int, triton: int) -> bool:
    """Whether a process of this Triton's lives."""
    try:
        process = psutil.Process(pid)
        return process.ppid() == triton and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _stub(process: psutil.Process) -> Stub | None:
    """What its command line says: program, .../MODEL/VERSION/FILE, ..., instance, backend; None for any other child."""
    match process.cmdline():
        case [program, file, *_, instance, _] if Path(program).name == PROGRAM:
            return Stub(process.pid, Path(file).parts[-3], instance)
    return None


def ending(zombie: int) -> str:
    """How a process ended whose parent has not asked yet, as far as the kernel tells."""
    try:
        code = int(Path(f"/proc/{zombie}/stat").read_text(encoding="utf-8").rsplit(maxsplit=1)[-1])
    except (OSError, ValueError):
        return "ended"
    if number := code & 0x7F:
        with contextlib.suppress(ValueError):
            return f"ended by {signal.Signals(number).name}"
        return f"ended by signal {number}"
    return f"exited with code {code >> 8}"
