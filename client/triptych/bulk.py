"""Many items through one function, a bounded number at a time: results in order, as they come, never all in memory."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# A slow item at the head must not idle the other workers, so as many results again may wait behind it.
_WINDOW = 2


def in_order(function: Callable[[T], R], items: Iterable[T], concurrency: int) -> Generator[tuple[T, Future[R]], None, None]:
    """Yield every item with its finished future; at most 2 x `concurrency` items are held at any time.

    When the consumer stops early, what is queued is dropped and what is under way ends in the background.
    """
    waiting: deque[tuple[T, Future[R]]] = deque()
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="triptych")
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            while waiting and (len(waiting) >= _WINDOW * concurrency or waiting[0][1].done()):
                yield _finished(waiting)
        while waiting:
            yield _finished(waiting)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _finished(waiting: deque[tuple[T, Future[R]]]) -> tuple[T, Future[R]]:
    item, future = waiting[0]
    future.exception()  # waits
    waiting.popleft()
    return item, future


async def in_order_async(
    function: Callable[[T], Awaitable[R]], items: Iterable[T] | AsyncIterable[T], concurrency: int
) -> AsyncGenerator[tuple[T, asyncio.Task[R]], None]:
    """`in_order` for coroutines; when the consumer stops early, what is under way is cancelled."""
    waiting: deque[tuple[T, asyncio.Task[R]]] = deque()
    workers = asyncio.Semaphore(concurrency)

    async def work(item: T) -> R:
        async with workers:
            return await function(item)

    try:
        async with aclosing(_iterate(items)) as stream:
            async for item in stream:
                waiting.append((item, asyncio.create_task(work(item))))
                while waiting and (len(waiting) >= _WINDOW * concurrency or waiting[0][1].done()):
                    await asyncio.wait([waiting[0][1]])
                    yield waiting.popleft()
        while waiting:
            await asyncio.wait([waiting[0][1]])
            yield waiting.popleft()
    finally:
        for _, task in waiting:
            task.cancel()
        await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)


async def _iterate(items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T, None]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
