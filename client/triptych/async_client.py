"""`AsyncClient`: pictures and texts in, embeddings out, for asyncio."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self, TypeVar

import numpy as np

from triptych import bulk, metrics
from triptych.calls import Call, embeddings, text_batches
from triptych.endpoint import DEFAULT_URL
from triptych.errors import AccessDenied, NotFound
from triptych.images import ImageInput
from triptych.results import Embedded, Embedding
from triptych.retry import RetryPolicy, send_async
from triptych.settings import OnError, Settings, checked_bulk, checked_texts, handle
from triptych.status import INDEX_CLOSED, ServerStatus, index_of_ready, ready_models, server_status
from triptych.tls import TLS
from triptych.transport import AsyncTransport, connect_async
from triptych.transport.base import Json
from triptych.transport.failures import closed

T = TypeVar("T")
I = TypeVar("I", bound=ImageInput)  # noqa: E741


class AsyncClient:
    """`Client` for one event loop: the same options and methods, to be awaited.

    The connection is made by the first call and belongs to the loop that makes it. Files are read, and pixels encoded,
    in threads, so that the loop never waits for them.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        timeout: float = 30.0,
        headers: Mapping[str, str] | None = None,
        tls: TLS | None = None,
        retry: RetryPolicy | None = None,
        metrics_url: str | None = None,
        image_model: str = "search_image",
        text_model: str = "search_text",
    ) -> None:
        self._settings = Settings(url, timeout, headers, tls, retry or RetryPolicy(), metrics_url, image_model, text_model)
        self._transport: AsyncTransport | None = None
        self._closed = False
        self._text_config: Json | None = None

    async def embed_image(
        self,
        image: ImageInput,
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: str = "",
    ) -> Embedding:
        """See `Client.embed_image`: float32 [D], unit length."""
        call = await asyncio.to_thread(self._settings.image_call, image, request_id, headers)
        row: Embedding = (await self._infer(call, timeout))[0]
        return row

    def embed_images(
        self,
        images: Iterable[I] | AsyncIterable[I],
        *,
        concurrency: int = 16,
        on_error: OnError = "raise",
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Embedded[I]]:
        """See `Client.embed_images`; `images` may be asynchronous too. Leaving the loop early cancels what is under way."""
        checked_bulk(concurrency, on_error)

        async def embed(image: I) -> Embedding:
            return await self.embed_image(image, timeout=timeout, headers=headers)

        return _embedded(embed, images, concurrency, on_error)

    async def embed_text(
        self,
        text: str | Sequence[str],
        *,
        language: str | None = None,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: str = "",
    ) -> Embedding:
        """See `Client.embed_text`: float32 [D] of a text, float32 [n,D] of n texts; unit length."""
        if isinstance(text, str):
            call = self._settings.text_call([text], language, request_id, headers)
            row: Embedding = (await self._infer(call, timeout))[0]
            return row
        texts = checked_texts(text)
        batches = [texts] if len(texts) == 1 else text_batches(texts, await self._text_model_config(timeout))
        calls = (self._settings.text_call(batch, language, request_id, headers) for batch in batches)
        return np.concatenate([await self._infer(call, timeout) for call in calls])

    async def server_status(self, *, timeout: float | None = None) -> ServerStatus:
        """See `Client.server_status`."""
        transport = self._connected()
        notes = []
        statistics = await self._send(transport.model_statistics, timeout)
        try:
            index = await self._send(transport.model_index, timeout)
        except AccessDenied:
            index = index_of_ready(statistics)
            notes.append(INDEX_CLOSED)
        configs = {}
        for name in ready_models(index):
            with contextlib.suppress(NotFound):  # unloaded since the index was read
                configs[name] = await self._model_config(name, timeout)
        page = metrics.Metrics()
        try:
            seconds = timeout or self._settings.timeout
            page = await asyncio.to_thread(metrics.fetch, self._settings.metrics_page(), seconds)
        except metrics.MetricsUnreachable as error:
            notes.append(str(error))
        return server_status(index, configs, statistics, page, *notes)

    async def close(self) -> None:
        """Break off what is under way and free the connections; the client cannot be used afterwards."""
        self._closed = True
        if self._transport is not None:
            await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def _connected(self) -> AsyncTransport:
        if self._closed:
            raise closed()
        if self._transport is None:
            self._transport = connect_async(self._settings.connection)
        return self._transport

    async def _infer(self, call: Call, timeout: float | None) -> Embedding:
        transport = self._connected()
        return embeddings(call, await self._send(lambda left: transport.infer(call, left), timeout))

    async def _text_model_config(self, timeout: float | None) -> Json:
        if self._text_config is None:
            self._text_config = await self._model_config(self._settings.text_model, timeout)
        return self._text_config

    async def _model_config(self, name: str, timeout: float | None) -> Json:
        transport = self._connected()
        return await self._send(lambda left: transport.model_config(name, left), timeout)

    async def _send(self, once: Callable[[float], Awaitable[T]], timeout: float | None) -> T:
        return await send_async(once, self._settings.retry, self._settings.timeout if timeout is None else timeout)


async def _embedded(
    embed: Callable[[I], Awaitable[Embedding]],
    images: Iterable[I] | AsyncIterable[I],
    concurrency: int,
    on_error: OnError,
) -> AsyncGenerator[Embedded[I], None]:
    async with aclosing(bulk.in_order_async(embed, images, concurrency)) as results:
        async for image, task in results:
            error = task.exception()
            if error is None:
                yield Embedded(image, task.result())
            else:
                handle(on_error, image, error)
