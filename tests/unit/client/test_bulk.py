"""Bounded concurrency in order: what is held, what is yielded when, and what happens when the consumer leaves."""

import asyncio
import gc
import itertools
import threading
import time

import pytest

from triptych.bulk import in_order, in_order_async


def test_an_endless_source_is_read_no_further_than_the_window():
    taken = []

    def source():
        for n in itertools.count():
            taken.append(n)
            yield n

    results = in_order(lambda n: n * 2, source(), 3)
    for expected in range(10):
        item, future = next(results)
        assert (item, future.result()) == (expected, expected * 2)
        assert len(taken) <= expected + 7
    results.close()


def test_a_finished_result_does_not_wait_for_the_source():
    def source():
        yield "first"
        time.sleep(0.2)  # by now the first is done
        yield "second"
        pytest.fail("the consumer never asked for a third")

    results = in_order(str.upper, source(), 4)
    assert next(results)[1].result() == "FIRST"
    results.close()


def test_leaving_early_neither_hangs_nor_runs_the_rest():
    ran, release = [], threading.Event()

    def work(n: int) -> int:
        ran.append(n)
        if n:
            release.wait(10)
        return n

    start = time.monotonic()
    for _ in in_order(work, range(100), 2):
        break
    gc.collect()
    assert time.monotonic() - start < 5
    release.set()
    time.sleep(0.1)
    assert len(ran) <= 4


def test_errors_stay_with_their_items():
    results = [(item, future.exception()) for item, future in in_order(lambda n: 1 // n, [1, 0, 2], 2)]
    assert [item for item, _ in results] == [1, 0, 2]
    assert [type(error) for _, error in results] == [type(None), ZeroDivisionError, type(None)]


def test_an_error_of_the_source_reaches_the_consumer():
    def source():
        yield 1
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        list(in_order(lambda n: n, source(), 2))


async def test_asyncio_leaving_early_cancels_what_is_under_way():
    cancelled = []

    async def work(n: int) -> int:
        try:
            await asyncio.sleep(0 if n == 0 else 30)
        except asyncio.CancelledError:
            cancelled.append(n)
            raise
        return n

    results = in_order_async(work, range(100), 3)
    item, task = await anext(results)
    assert (item, task.result()) == (0, 0)
    await results.aclose()
    assert cancelled
    assert len(asyncio.all_tasks()) == 1


async def test_asyncio_takes_asynchronous_sources_and_holds_the_bound():
    busy = most = 0

    async def source():
        for n in range(20):
            await asyncio.sleep(0)
            yield n

    async def work(n: int) -> int:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.01)
        busy -= 1
        return n

    assert [item async for item, _ in in_order_async(work, source(), 3)] == list(range(20))
    assert most == 3
