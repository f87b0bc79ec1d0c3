"""Which engines serve a repository now: each keeps a note in it while it runs, so that `triptych models use` can reach it.

A note is locked by the engine and its Triton together: however they end, the lock goes with the last of them, and it is seen from
another container too, where process ids say nothing.
"""

import contextlib
import fcntl
import json
import logging
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from triptych_server.configs.overrides import Overrides
from triptych_server.engine.control import ControlApi
from triptych_server.errors import EngineError
from triptych_server.repository import Repository
from triptych_server.repository_lock import FOLDER, LOCK

START_SECONDS = 1800.0
"""How long a change waits for an engine that is starting: as long as an engine itself does."""
_POLL_SECONDS = 0.1
_logger = logging.getLogger(__name__)


def own_network() -> str:
    """What the addresses of this process are known by: the machine, for it has booted once, and the network namespace. A host's name says
    neither: containers may share one, and keep their own network."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    machine = boot.read_text(encoding="ascii").strip() if boot.is_file() else socket.gethostname()  # sandboxes may hide it
    return f"{machine}:{Path('/proc/self/ns/net').stat().st_ino}"


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """What an engine's note says. `staging` is an empty model repository of its own, for models on trial; `machine` is where it runs, for
    people, and `network` for us: its addresses mean nothing in another. `config_name` is the profile that its Triton was started with, and
    takes configs of by itself; `profile` what it serves now. It is `serving` once all models are ready; it is `stale` when it
    may have loaded other models than those that are in place."""

    file: Path
    staging: Path
    machine: str = field(default_factory=socket.gethostname)
    network: str = field(default_factory=own_network)
    http_url: str = ""
    control_headers: Mapping[str, str] = field(default_factory=dict)
    profile: str = ""
    config_name: str = ""
    overrides: Overrides = field(default_factory=Overrides)
    serving: bool = False
    stale: bool = False

    @property
    def control(self) -> ControlApi:
        """Its control API."""
        return ControlApi(self.http_url, self.control_headers)

    def serve_profile(self, profile: str) -> None:
        """Note that its models are of another profile now. An engine that has ended meanwhile needs no note."""
        with contextlib.suppress(FileNotFoundError), self.file.open("r+b") as note:
            _write(note.fileno(), replace(self, profile=profile))

    def mark(self, *, stale: bool) -> None:
        """Note whether it may have loaded other models than those in place. An engine that has ended meanwhile needs no note."""
        with contextlib.suppress(FileNotFoundError), self.file.open("r+b") as note:
            _write(note.fileno(), replace(self, stale=stale))


@dataclass(frozen=True, slots=True)
class FoundEngines:
    """`reachable` serve here. `elsewhere` serve the repository too, from another container or machine: they cannot be told of a change.
    `unreadable` are the notes of other users' engines, which may have ended."""

    reachable: tuple[RunningEngine, ...]
    elsewhere: tuple[RunningEngine, ...] = ()
    unreadable: tuple[Path, ...] = ()


class EngineNote:
    """The note of an engine that is starting or serving."""

    def __init__(self, file: Path) -> None:
        self.engine = RunningEngine(file, file.with_suffix(""))
        self._note = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)  # it will hold the control key
        try:
            fcntl.flock(self._note, fcntl.LOCK_EX)
            self.engine.staging.mkdir()
            _write(self._note, self.engine)
        except BaseException:
            self.remove()
            raise

    def fileno(self) -> int:
        """The descriptor that Triton inherits, and the lock with it."""
        return self._note

    def serving(self, http_url: str, control_headers: Mapping[str, str], profile: str, overrides: Overrides) -> None:
        """Say where the engine can be reached, and what its models were loaded with."""
        self.engine = replace(
            self.engine,
            http_url=http_url,
            control_headers=control_headers,
            profile=profile,
            config_name=profile,
            overrides=overrides,
            serving=True,
        )
        _write(self._note, self.engine)

    def now(self) -> RunningEngine:
        """What it says now: a change of models or of the profile writes into it, too."""
        return _read(self.engine.file) or self.engine

    def remove(self) -> None:
        """The engine has ended."""
        _remove(self.engine.file)
        os.close(self._note)


def new_note(folder: Path) -> EngineNote:
    """A note in a repository's `folder`, whose lock is held; OSError where it cannot be written."""
    return EngineNote(folder / f"engine-{secrets.token_hex(4)}.json")


def is_changing(file: Path) -> bool:
    """Whether a change of models is changing the engine of this note over just now: it has marked it, and holds the repository."""
    engine = _read(file)
    if engine is None or not engine.stale:
        return False
    try:
        with FileLock(file.parent / LOCK, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def running_engines(repository: Repository, wait: float = START_SECONDS) -> FoundEngines:
    """The engines that serve the repository; call it with the repository's lock held. Those that are starting, wherever, are waited for:
    EngineError when one of them needs more than `wait` seconds. What engines left that were killed is removed."""
    found, unreadable, deadline = [], [], time.monotonic() + wait
    for file in sorted((repository.root / FOLDER).glob("engine-*.json")):
        try:
            if engine := _started(file, deadline):
                found.append(engine)
            else:
                _remove(file)
        except PermissionError:
            unreadable.append(file)
    here = own_network()
    return FoundEngines(
        tuple(engine for engine in found if engine.network == here),
        tuple(engine for engine in found if engine.network != here),
        tuple(unreadable),
    )


def _started(file: Path, deadline: float) -> RunningEngine | None:
    """What the note says when its engine serves; None when that has ended."""
    told = False
    while _is_held(file):
        engine = _read(file)
        if engine is not None and engine.serving:
            return engine
        if time.monotonic() > deadline:
            raise EngineError("a server has been starting on this repository for a long time; try again when it serves, or stop it")
        if not told:
            where = f" on {engine.machine}" if engine is not None and engine.machine != socket.gethostname() else ""
            _logger.warning("a server is starting on this repository%s; waiting for it", where)
            told = True
        time.sleep(_POLL_SECONDS)
    return None


def _is_held(file: Path) -> bool:
    with _opened(file) as note:
        if note is None:
            return False
        try:
            fcntl.flock(note, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[int | None]:
    """The file to read, or None when it is not there any more."""
    try:
        note = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield note
    finally:
        os.close(note)


def _read(file: Path) -> RunningEngine | None:
    """None while it is being written."""
    try:
        fields: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        overrides = Overrides.from_json(fields.pop("overrides", {}))
        return RunningEngine(**{**fields, "file": file, "staging": file.with_suffix(""), "overrides": overrides})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _write(note: int, engine: RunningEngine) -> None:
    """In place, for the lock is the file's."""
    content = {key: value for key, value in asdict(engine).items() if key not in {"file", "staging"}}
    text = json.dumps(content).encode()
    os.pwrite(note, text, 0)
    os.ftruncate(note, len(text))  # never empty in between


def _remove(file: Path) -> None:
    shutil.rmtree(file.with_suffix(""), ignore_errors=True)
    file.unlink(missing_ok=True)
