"""Whether a starting Triton is still worth waiting for: it runs, does something, and has time left."""

import logging
import subprocess
import time

from triptych_server.engine.child import end_group
from triptych_server.engine.log import PORT_TAKEN, TritonLog
from triptych_server.engine.stall import StallWatch
from triptych_server.errors import EngineError, TritonCrashedError

PATIENCE_SECONDS = 30.0
"""After how long a start that goes on is told, with Triton's last word, and after how long again."""
_logger = logging.getLogger(__name__)


class StartWatch:
    """Over one attempt to start, up to `deadline` (of time.monotonic)."""

    def __init__(self, process: subprocess.Popen[str], log: TritonLog, deadline: float) -> None:
        self._process, self._log, self._deadline = process, log, deadline
        self._stall = StallWatch(process.pid)
        self._began = self._told = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds until the deadline; 0 after it."""
        return max(self._deadline - time.monotonic(), 0.0)

    def check(self) -> None:
        """Call it again and again. TritonCrashedError when a signal ended Triton or it hangs; EngineError when it ended otherwise, or the
        time is over."""
        if (code := self._process.poll()) is not None:
            raise (TritonCrashedError if code < 0 else EngineError)(self._last_words(code))
        if self._stall.stalled():
            raise TritonCrashedError(f"Triton hangs: it has done nothing for a while and is not ready; its log: {self._log.file}")
        if not self.left:
            raise EngineError(
                f"Triton was not ready in time, {time.monotonic() - self._began:.0f} s after it was started; its log: {self._log.file}"
            )
        if time.monotonic() > self._told + PATIENCE_SECONDS:
            self._told = time.monotonic()
            _logger.warning("still starting after %.0f s; Triton's last word: %s", self._told - self._began, "".join(self._log.tail(1)))

    def _last_words(self, code: int) -> str:
        end_group(self._process.pid)  # or the log would wait for what they say
        self._log.close()
        if taken := next(filter(None, map(PORT_TAKEN.search, self._log.tail())), None):
            return f"{taken['socket']} was taken while Triton started; choose another port"
        last = "\n".join(f"  {line}" for line in self._log.tail(8))
        return f"Triton ended with code {code} while starting; its last words:\n{last}\nTriton's log: {self._log.file}"
