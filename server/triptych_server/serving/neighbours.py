"""Models wait for those before and after them in an ensemble, where that is better.

Who feeds a model takes nothing on while enough waits there: requests pile up before the first step and are refused there, instead of
being decoded for a queue that is full. And decoding takes turns with a network on the same cores, where both at once cost more than one
after the other: nothing is decoded while the network computes, and a batch that is not full waits for what is being decoded.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from triptych_server.serving.load import Loads

POLL_SECONDS = 0.001
LONGEST_WAIT_SECONDS = 1.0
"""Then one more is taken on all the same: whatever happens to the others, a model is slowed down and never stopped."""
LONGEST_GATHERING_SECONDS = 0.1
"""So long a batch that is not full waits for more at most: as long as two cores take to decode forty photos."""
ON_ITS_WAY_SECONDS = 0.002
"""So long an answer takes from one model through Triton to the next."""


class Fed:
    """The models that a model feeds, seen from there."""

    def __init__(self, models: Sequence[str], folder: Path | None) -> None:
        self._loads = Loads(models, folder)

    def wait(self, over: Callable[[], bool]) -> None:
        """Block while one of them is full; not once all is `over`, and LONGEST_WAIT_SECONDS at most."""
        until = time.monotonic() + LONGEST_WAIT_SECONDS
        while self._loads.any_full() and not over() and time.monotonic() < until:
            time.sleep(POLL_SECONDS)


class Sharers:
    """The models that feed a model and compute on the same cores, seen from there: they take turns."""

    def __init__(self, models: Sequence[str], folder: Path | None) -> None:
        self._models, self._loads = models, Loads(models, folder)

    def __bool__(self) -> bool:
        return bool(self._models)

    def wait(self, enough: Callable[[], bool]) -> None:
        """Block while one of them has something to answer, and what it made last is on its way; not once there is `enough`, and
        LONGEST_GATHERING_SECONDS at most. Who finds them idle does not wait at all."""
        end, until = time.monotonic() + LONGEST_GATHERING_SECONDS, 0.0
        while not enough():
            now = time.monotonic()
            if self._loads.any_owes():
                until = min(now + ON_ITS_WAY_SECONDS, end)
            if now >= until:
                return
            time.sleep(POLL_SECONDS)
