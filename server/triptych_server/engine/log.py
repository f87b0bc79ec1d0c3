"""Triton's output: into a rotated log file, with the last lines and the reasons of failed models kept at hand."""

import logging
import logging.handlers
import re
import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import IO

KEPT_LINES = 400
LOAD_FAILURE = re.compile(r"failed to load '(?P<model>[^']+)' version \d+: (?P<reason>.*)")
POLL_FAILURE = re.compile(r"Poll failed for model directory '(?P<model>[^']+)': (?P<reason>.*)")
OWN_LINE = re.compile(r"[IWE]\d{4} ")
CRASHED = re.compile(r"^Signal \((?P<number>\d+)\) received")
PORT_TAKEN = re.compile(r"Socket '(?P<socket>[^']+)' already in use")


class TritonLog:
    """Reads Triton's stdout and stderr to the end on a thread of its own; disk use is bounded by 2 x `max_bytes`."""

    def __init__(self, file: Path, max_bytes: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file = file
        self._handler = logging.handlers.RotatingFileHandler(file, maxBytes=max_bytes, backupCount=1, encoding="utf-8", errors="replace")
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._failures: dict[str, str] = {}
        self._reading = threading.Lock()
        self.crashed = ""  # Triton's word that it has: its handler often hangs then, and the process lives on without answering
        self._thread: threading.Thread | None = None

    def follow(self, stream: IO[str]) -> None:
        """Start reading; the thread ends with the stream."""
        self._thread = threading.Thread(target=self._read, args=(stream,), name="triton-log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for the last lines and close the file."""
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._handler.close()

    def tail(self, count: int = 20) -> list[str]:
        """The last lines."""
        with self._reading:
            return list(self._lines)[-count:]

    def has_begun(self) -> bool:
        """Whether Triton has said something by its logger: it has read its arguments by then."""
        with self._reading:
            return any(map(OWN_LINE.match, self._lines))

    def failures(self) -> dict[str, str]:
        """Why models could not be loaded, by model."""
        with self._reading:
            return dict(self._failures)

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                text = line.rstrip("\n")
                with self._reading:
                    self._lines.append(text)
                    if CRASHED.match(text):
                        self.crashed = text
                    for model, reason in load_failures([text]).items():
                        self._failures.setdefault(model, reason)
                self._handler.emit(logging.LogRecord("triton", logging.INFO, "", 0, text, (), None))


def load_failures(lines: Iterable[str]) -> dict[str, str]:
    """Models that Triton's log says could not be loaded or read, with the reason; Triton tells some of them nowhere else."""
    reasons: dict[str, str] = {}
    for line in lines:
        if found := LOAD_FAILURE.search(line) or POLL_FAILURE.search(line):
            reasons.setdefault(Path(found["model"]).name, found["reason"].strip().strip('"'))
    return reasons
