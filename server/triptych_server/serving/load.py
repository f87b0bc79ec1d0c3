"""What a model's processes show each other, and the engine, of their load: two bytes of a small file that others map.

The engine names the folder; without one nothing is shown.
"""

import contextlib
import mmap
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

FOLDER_VARIABLE = "TRIPTYCH_LOADS"
FULL, OWES, BYTES = 0, 1, 2
"""Whether enough waits; whether callers are owed an answer, which nobody else will ever give when the process dies."""
LOOK_SECONDS = 1.0
"""How often others look which instances there are; one that was killed is waited for no longer than this."""


def loads_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
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


class Loads:
    """Those of other models of this server: what their instances show; which instances there are is looked at once a second. For one thread
    at a time."""

    def __init__(self, models: Sequence[str], folder: Path | None) -> None:
        self._models, self._folder = models if folder else (), folder
        self._found: list[list[_Instance]] = []
        self._looked = float("-inf")

    def any_full(self) -> bool:
        """Whether one of the models is full: all its instances are."""
        return any(instances and all(each.shows(FULL) for each in instances) for instances in self._instances())

    def any_owes(self) -> bool:
        """Whether an instance of one of the models has something to answer."""
        return any(each.shows(OWES) for instances in self._instances() for each in instances)

    def _instances(self) -> "list[list[_Instance]]":
        if self._models and time.monotonic() - self._looked > LOOK_SECONDS:
            with contextlib.suppress(OSError):  # no descriptor is free: what was seen last counts on, and the worker lives
                self._look()
        return self._found

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

    def shows(self, byte: int) -> bool:
        return bool(self._shown[byte])


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
