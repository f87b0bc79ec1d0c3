"""When a request is repeated, and for how long: on a clock that only moves when the code sleeps."""

import asyncio

import pytest

from triptych.errors import DeadlineExceeded, InvalidInput, Overloaded, ServerUnreachable
from triptych.retry import RetryPolicy, send, send_async


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["blocking", "asyncio"])
def run(request, clock):
    """`run(once, policy, timeout, jitter)` through `send` or `send_async`."""

    def blocking(once, policy, timeout, jitter=0.0):
        return send(once, policy, timeout, clock=clock, sleep=clock.sleep, jitter=lambda: jitter)

    def through_asyncio(once, policy, timeout, jitter=0.0):
        async def once_async(left: float):
            return once(left)

        return asyncio.run(send_async(once_async, policy, timeout, clock=clock, sleep=clock.sleep_async, jitter=lambda: jitter))

    return {"blocking": blocking, "asyncio": through_asyncio}[request.param]


def failing(clock, *errors, takes=0.0, left=None):
    """A request that raises the errors in turn, then answers."""
    remaining = list(errors)

    def once(seconds: float) -> str:
        if left is not None:
            left.append(seconds)
        clock.now += takes
        if remaining:
            raise remaining.pop(0)
        return "answer"

    return once


def test_pauses_double_up_to_the_longest(run, clock):
    policy = RetryPolicy(overloaded=7, first_pause=0.1, longest_pause=1.0)
    assert run(failing(clock, *[Overloaded("full")] * 6), policy, 60, jitter=1.0) == "answer"
    assert clock.pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


def test_jitter_takes_up_to_half_of_a_pause_away(run, clock):
    run(failing(clock, Overloaded("full")), RetryPolicy(first_pause=0.1), 60, jitter=0.0)
    assert clock.pauses == pytest.approx([0.05])


def test_every_attempt_gets_what_is_left_of_the_time(run, clock):
    left = []
    run(failing(clock, Overloaded("full"), takes=2.0, left=left), RetryPolicy(first_pause=1.0), 10, jitter=1.0)
    assert left == pytest.approx([10.0, 7.0])


def test_no_pause_outlives_the_deadline(run, clock):
    with pytest.raises(Overloaded):
        run(failing(clock, *[Overloaded("full")] * 99), RetryPolicy(overloaded=99, first_pause=0.4, longest_pause=0.4), 1.0, jitter=1.0)
    assert clock.now - 100.0 < 1.0
    assert len(clock.pauses) == 2


def test_attempts_are_counted_by_kind(run, clock):
    policy = RetryPolicy(overloaded=5, unreachable=2, first_pause=0.01)
    with pytest.raises(Overloaded):
        run(failing(clock, *[Overloaded("full")] * 99), policy, 60)
    assert len(clock.pauses) == 4
    clock.pauses.clear()
    with pytest.raises(ServerUnreachable):
        run(failing(clock, *[ServerUnreachable("gone")] * 99), policy, 60)
    assert len(clock.pauses) == 1


@pytest.mark.parametrize("error", [InvalidInput("no picture"), DeadlineExceeded("late"), ZeroDivisionError()])
def test_what_would_fail_again_is_not_repeated(run, clock, error):
    with pytest.raises(type(error)):
        run(failing(clock, error), RetryPolicy(), 60)
    assert clock.pauses == []


def test_never_means_one_attempt(run, clock):
    with pytest.raises(ServerUnreachable):
        run(failing(clock, ServerUnreachable("gone")), RetryPolicy.never(), 60)
    assert clock.pauses == []


@pytest.mark.parametrize("options", [{"overloaded": 0}, {"unreachable": 0}, {"first_pause": 0}, {"first_pause": 3, "longest_pause": 2}])
def test_a_policy_that_makes_no_sense_is_refused(options):
    with pytest.raises(InvalidInput):
        RetryPolicy(**options)
