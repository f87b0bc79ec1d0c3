"""Backpressure from stub to stub: a model shows whether enough waits for it, and who feeds it waits meanwhile with taking on more.

So requests pile up before the first step of an ensemble and are refused there, instead of being decoded for a queue that is full. What is
shown are two bytes of a small file that others map; the engine names the folder, without one nobody is waited for. The second byte tells
whether callers are owed an answer: when the process dies, nobody else will ever give it to them.
"""

import contextlib
import mmap
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

FOLDER_VARIABLE = "TRIPTYCH_BACKPRESSURE"
FULL, OWES, BYTES = 0, 1, 2
POLL_SECONDS = 0.001
LOOK_SECONDS = 1.0
"""How often the feeder looks which instances there are; one that was killed is waited for no longer than this."""
LONGEST_WAIT_SECONDS = 1.0
"""Then one more is taken on all the same: whatever happens to the others, a model is slowed down and never stopped."""


def backpressure_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where the models of this server show how full they are."""
    return Path(environment[FOLDER_VARIABLE]) if environment.get(FOLDER_VARIABLE) else None


class Load:
    """What one instance shows of itself: whether enough waits for it, and whether it owes answers. Freed by `close`. Where nothing can be
    written, on a full disk, it shows nothing."""

    def __init__(self, model: str, folder: Path | None) -> None:
        self._file = folder / f"{model}.{os.getpid()}" if folder else None
        self._shown = None
        if self._file:
            with contextlib.suppress(OSError):
                self._file.write_bytes(bytes(BYTES))
                self._shown = _map(self._file)

    def show(self, *, full: bool, owes: bool) -> None:
        """Tell those who feed it, and the engine."""
        if self._shown is not None:
            self._shown[FULL], self._shown[OWES] = full, owes

    def close(self) -> None:
        """Nobody waits for it any more."""
        if self._file and self._shown is not None:
            self._file.unlink(missing_ok=True)
            self._shown.close()
            self._shown = None


class Fed:
    """The models that a model feeds, seen from there. A model is full when all its instances are."""

    def __init__(self, models: Sequence[str], folder: Path | None) -> None:
        self._models, self._folder = models if folder else (), folder
        self._found: list[list[_Instance]] = []
        self._looked = float("-inf")
        self._turn = threading.Lock()

    def wait(self) -> None:
        """Block while one of them is full, LONGEST_WAIT_SECONDS at most. Any thread may call it; they go on one by one."""
        if not self._models:
            return
        with self._turn:
            until = time.monotonic() + LONGEST_WAIT_SECONDS
            while self._is_full() and time.monotonic() < until:
                time.sleep(POLL_SECONDS)

    def _is_full(self) -> bool:
        if time.monotonic() - self._looked > LOOK_SECONDS:
            with contextlib.suppress(OSError):  # no descriptor is free: what was seen last counts on, and the worker lives
                self._look()
        return any(instances and all(each.is_full for each in instances) for instances in self._found)

    def _look(self) -> None:
        assert self._folder is not None
        known = {each.file: each for instances in self._found for each in instances}
        self._looked, found = time.monotonic(), []
        for model in self._models:
            files = [file for file in self._folder.glob(f"{model}.*") if file.stem == model]
            opened = [known.get(file) or _Instance.opened(file) for file in files if _is_alive(file)]
            found.append([each for each in opened if each is not None])
        self._found = found


class _Instance:
    """One instance of a model that is fed."""

    def __init__(self, file: Path, shown: mmap.mmap) -> None:
        self.file, self._shown = file, shown

    @classmethod
    def opened(cls, file: Path) -> Self | None:
        """None when it has just gone."""
        try:
            return cls(file, _map(file))
        except (OSError, ValueError):
            return None

    @property
    def is_full(self) -> bool:
        return bool(self._shown[FULL])


def left_unanswered(model: str, folder: Path) -> bool:
    """Whether a process of the model died while it owed answers. What the dead have left is removed: it is told once."""
    owed = False
    for file in folder.glob(f"{model}.*"):
        if file.stem == model and not _is_alive(file):
            try:
                shown = file.read_bytes()
            except FileNotFoundError:  # it ended in order just now
                continue
            owed = owed or (len(shown) == BYTES and bool(shown[OWES]))
            file.unlink(missing_ok=True)
    return owed


def _map(file: Path) -> mmap.mmap:
    with file.open("r+b") as opened:
        return mmap.mmap(opened.fileno(), BYTES)


def _is_alive(file: Path) -> bool:
    """Whether the process that shows it runs: a killed one leaves what it showed last, and is a zombie until Triton loads the next."""
    try:
        status = Path(f"/proc/{file.suffix[1:]}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"
