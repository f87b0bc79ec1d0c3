"""The body of a request as it streams in, within its limits; and work that ends when its caller hangs up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import TypeVar

from starlette.types import Receive

from triptych.gateway.refusals import Gone, TooLarge, TooSlow

T = TypeVar("T")
_GONE = "the caller hung up"


async def chunks(headers: Mapping[str, str], receive: Receive, limit: int, seconds: float) -> AsyncIterator[bytes]:
    """Pieces of the body as they come, none of them empty. Raises TooLarge, by the announced length where there is one, TooSlow, Gone."""
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(int(announced), limit)
    size, deadline = 0, asyncio.get_running_loop().time() + seconds
    more = True
    while more:
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise TooSlow(f"the request did not arrive whole within {seconds:g} s") from None
        if message["type"] == "http.disconnect":
            raise Gone(_GONE)
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            raise _too_large(size, limit)
        if chunk:
            yield chunk


async def until_gone(receive: Receive, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled, and Gone raised, when the caller hangs up first. The body has been read."""
    try:
        async with asyncio.timeout(None) as heard:
            watch = asyncio.create_task(_end_with(receive, heard))
            try:
                return await work
            finally:
                watch.cancel()
    except TimeoutError:
        if heard.expired():
            raise Gone(_GONE) from None
        raise


async def _end_with(receive: Receive, heard: asyncio.Timeout) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    heard.reschedule(asyncio.get_running_loop().time())


def _too_large(size: int, limit: int) -> TooLarge:
    return TooLarge(f"the request has {size:,} bytes or more, and the limit is {limit:,}; send a smaller picture")
