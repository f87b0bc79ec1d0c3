"""One index run at a time, in a thread of its own: started and stopped from the page, its progress told while it goes on."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from triptych.client import Client
from triptych.errors import TriptychError
from triptych.library import IndexReport, Library, LibraryError, Progress
from triptych.library.running import running

STOP_SECONDS = 30.0
"""How long the end of the program waits for requests that are under way."""
Phase = Literal["idle", "waiting", "looking", "sending", "grouping", "stopping", "done", "stopped", "failed"]
_MOST_FAILED = 50  # of a run are told
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IndexState:
    """`phase`: waiting (for a Triton), looking (through the folders), sending (photos to the server), grouping (faces), stopping; then
    done, stopped or failed, and idle before the first run. `rate`: photos a second of this run. `elsewhere`: another program runs it."""

    phase: Phase = "idle"
    done: int = 0
    total: int = 0
    failed: int = 0
    rate: float = 0.0
    error: str | None = None
    report: IndexReport | None = None
    elsewhere: bool = False

    @property
    def running(self) -> bool:
        return self.phase in ("waiting", "looking", "sending", "grouping", "stopping")

    def told(self) -> dict[str, Any]:
        """For the page."""
        report = asdict(self.report) if self.report else None
        if self.report and report:
            report["failed"] = [{"name": Path(path).name, "why": why} for path, why in self.report.failed[:_MOST_FAILED]]
        fields = {name: getattr(self, name) for name in ("phase", "done", "total", "failed", "rate", "error", "elsewhere")}
        return {**fields, "running": self.running, "report": report}


class IndexJob:
    """Runs over the library in `file`, by a connection of its own, so that nobody who looks at photos waits for it."""

    def __init__(self, file: Path, client: Callable[[], Client]) -> None:
        self._file, self._client = file, client
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._state = IndexState()

    def look(self) -> IndexState:
        """The run that is going on, be it ours or another program's; else how our last one ended. Looks at the disk."""
        if self.active:
            return self._state
        other = running(self._file)
        if other is None:
            return self._state
        return IndexState(other.phase, other.done, other.total, other.failed, other.rate, elsewhere=True)

    @property
    def active(self) -> bool:
        """Whether a run of ours is going on."""
        return self._thread is not None and self._thread.is_alive()

    def wait(self) -> None:
        """Say that a run begins as soon as a Triton is ready."""
        self._say(IndexState("waiting"))

    def start(self, folders: Sequence[Path] = ()) -> None:
        """Begin a run over `folders`; without any, over all that were indexed before. Raises LibraryError while one is going on."""
        with self._lock:
            now = self.look()
            if now.running and now.phase != "waiting":
                raise LibraryError("the library is being indexed already")
            self._stop = threading.Event()
            self._state = IndexState("looking")
            self._thread = threading.Thread(target=self._run, args=(tuple(folders),), name="index", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the run after the photos at hand; nothing happens when none is going on."""
        with self._lock:
            if self.active and self._state.running:
                self._stop.set()
                self._state = replace(self._state, phase="stopping")

    def close(self) -> None:
        """Stop, and wait until the requests that are under way are answered."""
        self.stop()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self, folders: tuple[Path, ...]) -> None:
        began: float | None = None

        def progress(now: Progress) -> None:
            nonlocal began
            began = time.monotonic() if began is None else began
            seconds = time.monotonic() - began
            phase: Phase = "stopping" if self._stop.is_set() else "grouping" if now.done == now.total else "sending"
            self._say(
                replace(
                    self._state, phase=phase, done=now.done, total=now.total, failed=now.failed, rate=now.done / seconds if seconds else 0.0
                )
            )

        try:
            with Library.open(self._file) as library:
                report = library.index(folders, self._client(), progress=progress, stop=self._stop)
            self._say(replace(self._state, phase="stopped" if report.left else "done", report=report))
        except TriptychError as error:
            self._say(replace(self._state, phase="failed", error=str(error)))
        except Exception as error:
            _log.exception("indexing failed")
            self._say(replace(self._state, phase="failed", error=f"{type(error).__name__}; the log says more"))

    def _say(self, state: IndexState) -> None:
        with self._lock:
            self._state = state
