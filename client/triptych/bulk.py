"""Many items through one function, a bounded number at a time: results in order, as they come, never all in memory."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, closing
from typing import Any, Literal, TypeVar

from triptych.errors import InvalidInput, TriptychError
from triptych.images import is_single

T = TypeVar("T")
R = TypeVar("R")
OnError = Literal["raise", "skip"] | Callable[[Any, TriptychError], None]

# A slow item at the head must not idle the other workers, so as many results again may wait behind it.
_WINDOW = 2


def checked(images: Any, concurrency: int, on_error: OnError) -> None:
    """Raise InvalidInput for what makes no sense, before the first picture is read."""
    if is_single(images):
        raise InvalidInput(f"several pictures are expected here, such as a list, not a single {type(images).__name__}")
    if concurrency < 1:
        raise InvalidInput(f"concurrency is at least 1, not {concurrency}")
    if on_error not in ("raise", "skip") and not callable(on_error):
        raise InvalidInput(f"on_error is 'raise', 'skip' or a function of (image, error), not {on_error!r}")


def results(function: Callable[[T], R], items: Iterable[T], concurrency: int, on_error: OnError) -> Generator[R, None, None]:
    """The results in order; an error is raised, or left to `on_error` when it concerns its item alone."""
    with closing(in_order(function, items, concurrency)) as finished:
        for item, future in finished:
            error = future.exception()
            if error is None:
                yield future.result()
            else:
                _handle(on_error, item, error)


async def results_async(
    function: Callable[[T], Awaitable[R]], items: Iterable[T] | AsyncIterable[T], concurrency: int, on_error: OnError
) -> AsyncGenerator[R, None]:
    """`results` for coroutines."""
    async with aclosing(in_order_async(function, items, concurrency)) as finished:
        async for item, task in finished:
            error = task.exception()
            if error is None:
                yield task.result()
            else:
                _handle(on_error, item, error)


def _handle(on_error: OnError, item: Any, error: BaseException) -> None:
    if on_error == "raise" or not isinstance(error, TriptychError) or error.concerns_server:
        raise error
    if callable(on_error):
        on_error(item, error)


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
