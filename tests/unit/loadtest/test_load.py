"""Loads: what counts as completed, how many requests are in flight, and that a wrong answer ends the run."""

import asyncio

import numpy as np
import pytest

from loadtest.clients import Load, drive


def test_a_request_counts_by_the_share_of_its_life_that_was_measured():
    lives = [(0.0, 2.0), (1.0, 2.0), (1.5, 3.5), (3.0, 4.0)]
    load = Load.from_lives(lives, begin=1.0, end=3.0)
    assert load.completed == pytest.approx(0.5 + 1.0 + 0.75 + 0.0)
    assert load.throughput == pytest.approx(2.25 / 2)


def test_bursts_at_the_edges_do_not_move_the_throughput():
    """16 in flight, answered together once a second: 16/s wherever the measured time begins."""
    lives = [(float(second), float(second + 1)) for second in range(20) for _ in range(16)]
    assert [Load.from_lives(lives, begin, begin + 9.5).throughput for begin in (2.0, 2.3, 2.9)] == pytest.approx([16.0] * 3)


def test_latencies_are_of_requests_that_ended_in_the_measured_time():
    load = Load.from_lives([(0.0, 0.9), (0.5, 1.5), (1.0, 1.2), (2.5, 3.5)], begin=1.0, end=3.0)
    assert load.latencies_ms == pytest.approx((1000.0, 200.0))
    assert load.percentile_ms(50) == pytest.approx(600.0)


def test_a_load_in_which_nothing_ended_is_an_error():
    with pytest.raises(ValueError, match="no request ended within 2.0 s"):
        Load.from_lives([(0.0, 9.0)], begin=1.0, end=3.0)


def test_json_and_back():
    load = Load(2.0, 3.5, (1.0, 2.0))
    assert Load.from_json('{"seconds": 2.0, "completed": 3.5, "latencies_ms": [1.0, 2.0]}') == load


async def test_as_many_requests_are_in_flight_as_were_asked_for():
    in_flight, most, started = 0, 0, []

    async def send():
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await asyncio.sleep(0.001)
        in_flight -= 1
        return np.ones(1)

    load = await drive(send, concurrency=5, warm_up=0.02, seconds=0.1, started=lambda: started.append(in_flight))
    assert (most, in_flight, len(started)) == (5, 0, 1)
    assert load.completed > 5


async def test_a_failed_request_ends_the_run():
    async def send():
        await asyncio.sleep(0)
        raise ValueError("wrong answer")

    with pytest.raises(ExceptionGroup) as failure:
        await drive(send, concurrency=2, warm_up=0.0, seconds=60.0, started=lambda: None)
    assert failure.group_contains(ValueError, match="wrong answer")
