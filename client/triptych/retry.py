"""When a request is sent again: overload and lost servers only, with growing pauses, within one deadline."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from triptych.errors import DeadlineExceeded, InvalidInput, ServerUnreachable, TriptychError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently; pauses are in seconds and are halved at random, so that clients spread out."""

    overloaded: int = 8  # attempts when the queue is full: about 6 s of pauses, longer than a burst lasts
    unreachable: int = 3  # attempts when nobody answers: a wrong port should be told soon
    first_pause: float = 0.1
    longest_pause: float = 2.0

    def __post_init__(self) -> None:
        if min(self.overloaded, self.unreachable) < 1:
            raise InvalidInput("RetryPolicy: the number of attempts includes the first one, so it is at least 1")
        if not 0 < self.first_pause <= self.longest_pause:
            raise InvalidInput("RetryPolicy: 0 < first_pause <= longest_pause")

    @classmethod
    def never(cls) -> "RetryPolicy":
        """One attempt only: every error is raised at once."""
        return cls(overloaded=1, unreachable=1)

    def attempts(self, error: TriptychError) -> int:
        """How many attempts an error of this kind is worth."""
        if not error.retryable:
            return 1
        return self.unreachable if isinstance(error, ServerUnreachable) else self.overloaded

    def pause(self, failures: int, jitter: float) -> float:
        """Seconds to wait after the n-th failure (from 1); `jitter` in [0,1) picks from the upper half."""
        longest = min(self.longest_pause, self.first_pause * 2.0 ** min(failures - 1, 32))
        return longest * (0.5 + jitter / 2)


class Attempts:
    """The bookkeeping of one request: what is left of its time, and whether to try again."""

    def __init__(self, policy: RetryPolicy, timeout: float, now: float) -> None:
        if not timeout > 0:
            raise InvalidInput(f"a timeout is a positive number of seconds, not {timeout}")
        self._policy = policy
        self._timeout = timeout
        self._deadline = now + timeout
        self._failures = 0

    def remaining(self, now: float) -> float:
        """Seconds left for the next attempt; raises DeadlineExceeded when there are none."""
        left = self._deadline - now
        if left <= 0:
            raise DeadlineExceeded(f"no answer within {self._timeout:g} s")
        return left

    def pause_after(self, error: TriptychError, now: float, jitter: float) -> float:
        """Seconds to wait before the next attempt; raises `error` itself when there is to be none."""
        self._failures += 1
        pause = self._policy.pause(self._failures, jitter)
        if self._failures >= self._policy.attempts(error) or now + pause >= self._deadline:
            raise error
        return pause


def send(
    once: Callable[[float], T],
    policy: RetryPolicy,
    timeout: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
) -> T:
    """Call `once(seconds left)` until it answers; raises the last error when the policy or the time is exhausted."""
    attempts = Attempts(policy, timeout, clock())
    while True:
        try:
            return once(attempts.remaining(clock()))
        except TriptychError as error:
            pause = attempts.pause_after(error, clock(), jitter())
        sleep(pause)


async def send_async(
    once: Callable[[float], Awaitable[T]],
    policy: RetryPolicy,
    timeout: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    jitter: Callable[[], float] = random.random,
) -> T:
    """`send` for coroutines."""
    attempts = Attempts(policy, timeout, clock())
    while True:
        try:
            return await once(attempts.remaining(clock()))
        except TriptychError as error:
            pause = attempts.pause_after(error, clock(), jitter())
        await sleep(pause)
