"""When the next batch may be formed, by a clock that the tests turn."""

import threading

import pytest

from triptych_server.serving.pace import LEAD_SECONDS, Pace


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def learnt(clock, parallel=1, rows=8, seconds=0.4):
    pace = Pace(parallel, clock)
    run = pace.started(rows)
    clock.now += seconds
    pace.ended(run)
    return pace


def test_an_idle_runtime_is_not_waited_for(clock):
    assert learnt(clock).seconds_left() == 0


def test_the_next_batch_is_formed_shortly_before_the_runtime_is_free(clock):
    pace = learnt(clock)
    pace.started(8)
    assert pace.seconds_left() == pytest.approx(0.4 - LEAD_SECONDS)
    clock.now += 0.39
    assert pace.seconds_left() == pytest.approx(0)


def test_a_batch_of_unknown_size_is_not_waited_for(clock):
    pace = learnt(clock)
    pace.started(3)
    assert pace.seconds_left() <= 0


def test_short_runs_are_not_waited_for(clock):
    pace = learnt(clock, seconds=0.005)
    pace.started(8)
    assert pace.seconds_left() <= 0


def test_a_batch_that_waits_in_the_runtime_begins_when_the_one_before_it_ends(clock):
    pace = learnt(clock)
    first, second = pace.started(8), pace.started(8)
    assert pace.seconds_left() > 60  # until a run ends
    clock.now += 0.4
    pace.ended(first)
    assert pace.seconds_left() == pytest.approx(0.4 - LEAD_SECONDS)
    clock.now += 0.3
    pace.ended(second)
    pace.started(8)
    assert pace.seconds_left() == pytest.approx(0.3 - LEAD_SECONDS)  # as long as the last one took, its turn not counted


def test_streams_are_filled_before_anything_is_waited_for(clock):
    pace = learnt(clock, parallel=2)
    pace.started(8)
    assert pace.seconds_left() == 0
    clock.now += 0.1
    pace.started(8)
    assert pace.seconds_left() == pytest.approx(0.3 - LEAD_SECONDS)  # the first of both


def test_waiting_ends_with_the_run_however_long_it_was_thought_to_take():
    pace = Pace(1)
    slow = pace.started(8)
    slow.began -= 3600  # it took an hour once
    pace.ended(slow)
    run, waited = pace.started(8), threading.Event()
    waiter = threading.Thread(target=lambda: (pace.wait(), waited.set()), daemon=True)
    waiter.start()
    assert not waited.wait(0.05)
    pace.ended(run)
    assert waited.wait(5)
    waiter.join()
