"""`AsyncClient`: pictures and texts in, embeddings and faces out, for asyncio."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np

from triptych import answers, bulk, metrics, on_demand
from triptych.bulk import OnError
from triptych.calls import Call, Tensors, text_batches
from triptych.endpoint import DEFAULT_URL
from triptych.errors import AccessDenied, NotFound
from triptych.face import Face
from triptych.face_options import FaceOptions
from triptych.images import ImageInput
from triptych.results import Analysis, Analyzed, Embedded, Embedding, Found
from triptych.retry import RetryPolicy, send_async
from triptych.settings import Settings, checked_texts
from triptych.status import INDEX_CLOSED, ServerStatus, index_of_ready, ready_models, server_status
from triptych.tls import TLS
from triptych.transport import AsyncTransport, connect_async
from triptych.transport.base import Json
from triptych.transport.failures import closed
from triptych.wanted import Wanted

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
        faces_model: str = "faces",
        photo_model: str = "photo",
    ) -> None:
        models = (image_model, text_model, faces_model, photo_model)
        self._settings = Settings(url, timeout, headers, tls, retry or RetryPolicy(), metrics_url, *models)
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
        call = await _made(self._settings.image_call, image, request_id, headers)
        row: Embedding = answers.embeddings(call, await self._infer(call, timeout))[0]
        return row

    def embed_images(
        self,
        images: Iterable[I] | AsyncIterable[I],
        *,
        concurrency: int = 16,
        on_error: OnError = "raise",
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Embedded[I], None]:
        """See `Client.embed_images`; `images` may be asynchronous too. Leaving the loop early cancels what is under way."""
        bulk.checked(images, concurrency, on_error)

        async def embed(image: I) -> Embedded[I]:
            return Embedded(image, await self.embed_image(image, timeout=timeout, headers=headers))

        return bulk.results_async(embed, images, concurrency, on_error)

    async def faces(
        self,
        image: ImageInput,
        *,
        min_score: float | None = None,
        max_faces: int | None = None,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: str = "",
    ) -> list[Face]:
        """See `Client.faces`."""
        return await self._faces(image, FaceOptions(min_score, max_faces), timeout, headers, request_id)

    def faces_in_images(
        self,
        images: Iterable[I] | AsyncIterable[I],
        *,
        min_score: float | None = None,
        max_faces: int | None = None,
        concurrency: int = 16,
        on_error: OnError = "raise",
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Found[I], None]:
        """See `Client.faces_in_images`, and `embed_images` here."""
        bulk.checked(images, concurrency, on_error)
        options = FaceOptions(min_score, max_faces)

        async def find(image: I) -> Found[I]:
            return Found(image, await self._faces(image, options, timeout, headers))

        return bulk.results_async(find, images, concurrency, on_error)

    async def analyze(
        self,
        image: ImageInput,
        *,
        embedding: bool = True,
        faces: bool = True,
        min_score: float | None = None,
        max_faces: int | None = None,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: str = "",
    ) -> Analysis:
        """See `Client.analyze`."""
        wanted = Wanted(embedding, faces, FaceOptions(min_score, max_faces))
        return await self._analyze(image, wanted, timeout, headers, request_id)

    def analyze_images(
        self,
        images: Iterable[I] | AsyncIterable[I],
        *,
        embedding: bool = True,
        faces: bool = True,
        min_score: float | None = None,
        max_faces: int | None = None,
        concurrency: int = 16,
        on_error: OnError = "raise",
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Analyzed[I], None]:
        """See `Client.analyze_images`, and `embed_images` here."""
        bulk.checked(images, concurrency, on_error)
        wanted = Wanted(embedding, faces, FaceOptions(min_score, max_faces))

        async def analyze(image: I) -> Analyzed[I]:
            return Analyzed(image, await self._analyze(image, wanted, timeout, headers))

        return bulk.results_async(analyze, images, concurrency, on_error)

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
            row: Embedding = (await self._texts(call, timeout))[0]
            return row
        texts = checked_texts(text)
        batches = [texts] if len(texts) == 1 else text_batches(texts, await self._text_model_config(timeout))
        calls = (self._settings.text_call(batch, language, request_id, headers) for batch in batches)
        return np.concatenate([await self._texts(call, timeout) for call in calls])

    async def server_ready(self, *, timeout: float | None = None) -> bool:
        """Whether the server calls itself, and every model that it was to load, ready."""
        return await self._send(self._connected().server_ready, timeout)

    async def model_config(self, name: str, *, timeout: float | None = None) -> Json:
        """The configuration, as Triton words it in JSON, of a model that is ready or idle; NotFound for others."""
        return await self._model_config(name, timeout)

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
        page = await asyncio.to_thread(metrics.fetched, self._settings.metrics_page(), timeout or self._settings.timeout)
        ready = await self._send(transport.server_ready, timeout)
        return server_status(index, configs, statistics, page, *notes, ready=ready)

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

    async def _faces(
        self, image: ImageInput, options: FaceOptions, timeout: float | None, headers: Mapping[str, str] | None, request_id: str = ""
    ) -> list[Face]:
        call = await _made(self._settings.faces_call, image, options, request_id, headers)
        return answers.faces(call, await self._infer(call, timeout))

    async def _analyze(
        self, image: ImageInput, wanted: Wanted, timeout: float | None, headers: Mapping[str, str] | None, request_id: str = ""
    ) -> Analysis:
        call = await _made(self._settings.photo_call, image, wanted, request_id, headers)
        return answers.analysis(call, await self._infer(call, timeout), wanted)

    async def _texts(self, call: Call, timeout: float | None) -> Embedding:
        return answers.embeddings(call, await self._infer(call, timeout))

    async def _infer(self, call: Call, timeout: float | None) -> Tensors:
        transport = self._connected()
        return await self._send(lambda left: on_demand.infer_async(transport, call, left), timeout)

    async def _text_model_config(self, timeout: float | None) -> Json:
        if self._text_config is None:
            self._text_config = await self._model_config(self._settings.text_model, timeout)
        return self._text_config

    async def _model_config(self, name: str, timeout: float | None) -> Json:
        transport, headers = self._connected(), self._settings.connection.headers
        return await self._send(lambda left: on_demand.model_config_async(transport, name, headers, left), timeout)

    async def _send(self, once: Callable[[float], Awaitable[T]], timeout: float | None) -> T:
        return await send_async(once, self._settings.retry, self._settings.timeout if timeout is None else timeout)


async def _made(make: Callable[..., Call], image: ImageInput, *arguments: Any) -> Call:
    """A call; files are read and pixels encoded in a thread, while bytes need no work."""
    if isinstance(image, bytes):
        return make(image, *arguments)
    return await asyncio.to_thread(make, image, *arguments)
