"""The one index run of a library: a lock that ends with its process, and how far it is, for other processes to see.

Both are a small file beside the library's. What it says counts only while the lock is held, so a run that was killed leaves nothing to
clear away.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from triptych.library.errors import LibraryError
from triptych.library.records import Progress

_BYTES = 256  # of what is told, always, so that what is shorter leaves no end of what was longer
_OFTEN = 0.2  # seconds between two words
_PATIENCE = 2.0  # seconds; who looks whether a run is going on holds the lock for a moment


@dataclass(frozen=True, slots=True)
class Running:
    """`phase`: looking (through the folders), sending (photos to the server), grouping (faces). `rate`: photos a second."""

    phase: Literal["looking", "sending", "grouping"] = "looking"
    done: int = 0
    total: int = 0
    failed: int = 0
    rate: float = 0.0


@dataclass(slots=True)
class Teller:
    """Writes down how far a run is."""

    descriptor: int
    began: float | None = None
    told: float = field(default=-_OFTEN)

    def tell(self, progress: Progress) -> None:
        """Write down what the run does now, with its rate, when it is time, and always at the last photo."""
        now = time.monotonic()
        self.began = now if self.began is None else self.began
        seconds, last = now - self.began, progress.done == progress.total
        rate = progress.done / seconds if seconds else 0.0
        if last or now - self.told >= _OFTEN:
            self.told = now
            self.write(Running("grouping" if last else "sending", progress.done, progress.total, progress.failed, rate))

    def write(self, running: Running) -> None:
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        os.write(self.descriptor, json.dumps(asdict(running)).encode().ljust(_BYTES))


@contextmanager
def only_run(library: Path) -> Iterator[Teller]:
    """Be the library's one run as long as the block lasts. Raises LibraryError while another one is."""
    descriptor = _open(library, os.O_RDWR | os.O_CREAT)
    try:
        until = time.monotonic() + _PATIENCE
        while not _locked(descriptor, alone=True):
            if time.monotonic() > until:
                raise LibraryError(f"{library} is being indexed already, by another program; let it end, or stop it")
            time.sleep(0.02)
        teller = Teller(descriptor)
        teller.write(Running())
        yield teller
    finally:
        os.close(descriptor)


def running(library: Path) -> Running | None:
    """How far the run is that is going on, in whatever process; None when there is none."""
    try:
        descriptor = _open(library, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        if _locked(descriptor, alone=False):
            return None
        try:
            return Running(**json.loads(os.read(descriptor, _BYTES)))
        except (ValueError, TypeError):  # read in the middle of being written
            return Running()
    finally:
        os.close(descriptor)


def _open(library: Path, flags: int) -> int:
    library = library.resolve()  # whichever link it was opened by
    file = library.with_name(f"{library.name}-index")
    try:
        return os.open(file, flags, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LibraryError(f"{file} cannot be opened: {error.strerror}; it must be a file of whoever indexes") from None


def _locked(descriptor: int, *, alone: bool) -> bool:
    """Take the lock, until the descriptor is closed; False when somebody has it."""
    if sys.platform == "win32":  # it has no such lock: runs are not told of each other there
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
