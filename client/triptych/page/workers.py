"""Threads for what would hold up the event loop: so many at a time, so many waiting for one, and who comes then is turned away."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from triptych.gateway.refusals import Busy

T = TypeVar("T")


class Workers:
    """`threads` pieces of work at a time, `waiting` behind them. Made and closed by one event loop."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._places = threading.BoundedSemaphore(threads + waiting)

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """What `function` returns or raises. Work that nobody waits for any more is not begun. Raises Busy."""
        if not self._places.acquire(blocking=False):
            raise Busy("the page is asked for more than it can do at a time; ask again in a moment")
        future = self._pool.submit(function, *arguments)
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Wait for what was begun; the rest is dropped."""
        self._pool.shutdown(cancel_futures=True)

    def _leave(self, future: "Future[Any]") -> None:
        self._places.release()
