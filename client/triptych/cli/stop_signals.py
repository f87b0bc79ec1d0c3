"""SIGINT, SIGTERM and SIGHUP for a command that stops in order at the first, and at once at a second."""

import signal
import time
from collections.abc import Callable
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the last: its terminal was closed
ECHO_SECONDS = 0.5
"""A terminal and a program between (`uv run`, `make`) each pass one Ctrl-C on: so close behind each other they are one."""


class Stop(BaseException):
    """The first signal: like KeyboardInterrupt, no `except Exception` may swallow it."""


class StopSignals:
    """`install` raises Stop in the main thread at the first signal; at another SIGINT or SIGTERM `at_once` is called, which ends what the
    stopping waits for."""

    def __init__(self) -> None:
        self.at_once: Callable[[], None] | None = None
        self._first: float | None = None

    def install(self) -> None:
        for each in SIGNALS:
            signal.signal(each, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now
            raise Stop
        if number != signal.SIGHUP and now - self._first > ECHO_SECONDS and self.at_once is not None:
            self.at_once()
