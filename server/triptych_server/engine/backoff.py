"""How often, and after what pauses, something is mended again: at once, then with doubled pauses, up to a limit within a time."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """`limit` attempts within `window` seconds; the first follows at once, the next after `first_pause`, each further one after twice the
    last pause. What was quiet for `window` begins anew."""

    limit: int
    window: float = 600.0
    first_pause: float = 1.0
    clock: Callable[[], float] = time.monotonic
    _attempts: deque[float] = field(default_factory=deque, init=False)

    @property
    def attempts(self) -> int:
        """Those within the window."""
        while self._attempts and self._attempts[0] < self.clock() - self.window:
            self._attempts.popleft()
        return len(self._attempts)

    @property
    def exhausted(self) -> bool:
        """Whether there were as many as may be."""
        return self.attempts >= self.limit

    @property
    def pause(self) -> float:
        """Seconds from now until the next attempt may begin."""
        made = self.attempts
        return max(0.0, self._attempts[-1] + self.first_pause * 2.0 ** (made - 1) - self.clock()) if made else 0.0

    def attempt(self) -> None:
        """One begins now."""
        self._attempts.append(self.clock())
