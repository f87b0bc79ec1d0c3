"""HTTP for threads: the asyncio transport on an event loop of its own.

tritonclient's blocking HTTP client cannot be shared by threads, and one per thread is no way out: gevent keeps four
file descriptors and an operating system thread for every thread that ever made a request (300 short-lived threads:
1,200 descriptors). One loop serves all callers, shares the connections among them, and keeps a deadline per request.
"""

import asyncio
import concurrent.futures
import threading
import weakref
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from triptych.calls import Call
from triptych.transport.base import Connection, Json, Tensors
from triptych.transport.failures import closed
from triptych.transport.http_aio import AsyncHttpTransport

T = TypeVar("T")


class HttpTransport:
    """See `Transport`; a daemon thread per client, ended by `close`, with the client's last reference, or at exit."""

    def __init__(self, connection: Connection) -> None:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="triptych-http", daemon=True)
        thread.start()
        self._loop = loop
        try:
            self._transport = self._wait(_inside_loop(connection))
        except BaseException:
            _stop(loop, thread)
            raise
        self._finish = weakref.finalize(self, _close, loop, thread, self._transport)

    def infer(self, call: Call, timeout: float) -> Tensors:
        return self._wait(self._transport.infer(call, timeout))

    def server_ready(self, timeout: float) -> bool:
        return self._wait(self._transport.server_ready(timeout))

    def model_index(self, timeout: float) -> Sequence[Json]:
        return self._wait(self._transport.model_index(timeout))

    def model_config(self, model: str, timeout: float) -> Json:
        return self._wait(self._transport.model_config(model, timeout))

    def model_statistics(self, timeout: float) -> Sequence[Json]:
        return self._wait(self._transport.model_statistics(timeout))

    def close(self) -> None:
        self._finish()

    def _wait(self, question: Coroutine[Any, Any, T]) -> T:
        try:
            future = asyncio.run_coroutine_threadsafe(question, self._loop)
        except RuntimeError:
            question.close()
            raise closed() from None
        try:
            while True:
                try:
                    return future.result(timeout=1)
                except TimeoutError:
                    if future.done():  # just now, or it is the question's own time-out
                        return future.result()
                    if self._loop.is_closed():  # closed by another thread just as this was asked
                        raise closed() from None
        except concurrent.futures.CancelledError:
            raise closed() from None
        except BaseException:  # Ctrl-C in the waiting thread: do not leave the request behind
            future.cancel()
            raise


async def _inside_loop(connection: Connection) -> AsyncHttpTransport:
    return AsyncHttpTransport(connection)


def _close(loop: asyncio.AbstractEventLoop, thread: threading.Thread, transport: AsyncHttpTransport) -> None:
    if threading.current_thread() is thread:  # the client's last reference went in its own loop; do not wait for it
        closing = loop.create_task(transport.close())
        closing.add_done_callback(lambda _: loop.stop())
        return
    try:
        if thread.is_alive():
            asyncio.run_coroutine_threadsafe(_end(transport), loop).result(timeout=5)
    except TimeoutError:
        pass  # the loop is stopped all the same, and with it what is under way
    finally:
        _stop(loop, thread)


async def _end(transport: AsyncHttpTransport) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await transport.close()


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    thread.join(timeout=5)
    if not loop.is_running():
        loop.close()
