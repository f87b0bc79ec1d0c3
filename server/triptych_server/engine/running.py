"""Which engines serve a repository now: each leaves a note in it while it runs, so that `triptych models use` can reach it."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import psutil

from triptych_server.engine.control import ControlApi
from triptych_server.repository import Repository

FOLDER = ".triptych"
"""In the repository's root, beside the three folders."""


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """One Triton that an engine started. `staging` is an empty model repository of its own, for models on trial; `started` in seconds
    since the epoch tells its process from a later one of the same `pid`."""

    pid: int
    started: float
    machine: str
    http_url: str
    control_headers: Mapping[str, str]
    profile: str
    staging: Path

    @classmethod
    def of(cls, pid: int, http_url: str, control_headers: Mapping[str, str], profile: str, staging: Path) -> Self:
        """A process of this machine."""
        return cls(pid, psutil.Process(pid).create_time(), socket.gethostname(), http_url, control_headers, profile, staging)

    @property
    def control(self) -> ControlApi:
        """Its control API."""
        return ControlApi(self.http_url, self.control_headers)

    @property
    def is_alive(self) -> bool:
        """Whether the process is still that one."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) < 1
        except psutil.NoSuchProcess:
            return False


@contextlib.contextmanager
def announced(repository: Repository, engine: RunningEngine) -> Iterator[None]:
    """Note a running engine in its repository for the time of the block; only this user can read the note, for it holds the control key.

    In a repository that cannot be written nothing is noted: nor could a model be swapped there.
    """
    file = repository.root / FOLDER / f"engine-{engine.machine}-{engine.pid}.json"
    with contextlib.suppress(OSError):
        file.parent.mkdir(exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as note:
            json.dump(asdict(engine), note, default=str)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink()


def running_engines(repository: Repository) -> list[RunningEngine]:
    """The engines of this machine that serve the repository; notes of dead ones are removed."""
    found = []
    for file in sorted((repository.root / FOLDER).glob("engine-*.json")):
        engine = _read(file)
        if engine is None or engine.machine != socket.gethostname():  # another container's: its processes cannot be seen from here
            continue
        if engine.is_alive:
            found.append(engine)
        else:
            file.unlink(missing_ok=True)
    return found


def _read(file: Path) -> RunningEngine | None:
    try:
        fields: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return RunningEngine(**{**fields, "staging": Path(fields["staging"])})
    except (OSError, ValueError, TypeError, KeyError):  # being written, or removed, at this moment
        return None
