"""`Client`: pictures and texts in, embeddings out, for ordinary and threaded code."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

import numpy as np

from triptych import bulk, metrics
from triptych.calls import Call, embeddings, text_batches
from triptych.endpoint import DEFAULT_URL
from triptych.errors import AccessDenied, NotFound
from triptych.images import ImageInput
from triptych.results import Embedded, Embedding
from triptych.retry import RetryPolicy, send
from triptych.settings import OnError, Settings, checked_bulk, checked_texts, handle
from triptych.status import INDEX_CLOSED, ServerStatus, index_of_ready, ready_models, server_status
from triptych.tls import TLS
from triptych.transport import connect
from triptych.transport.base import Json

T = TypeVar("T")
I = TypeVar("I", bound=ImageInput)  # noqa: E741


class Client:
    """Talks to one Triton server; one Client serves any number of threads.

    `url`: `grpc://host:8001` (also without scheme), `grpcs://`, `http://host:8000` or `https://`.
    `timeout`: seconds that a call may take, all attempts together; a call can have its own.
    `headers`: sent with every request (gRPC metadata or HTTP headers); a call can add its own.
    `tls`: certificates for grpcs:// and https://. `retry`: when a request is sent again.
    `metrics_url`: for `server_status`; by default port 8002 of the same host.
    `image_model`, `text_model`: names of the models that embed.

    Nothing is sent before the first call. Every method raises TriptychError or one of its kinds.
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
        self._transport = connect(self._settings.connection)
        self._text_config: Json | None = None

    def embed_image(
        self,
        image: ImageInput,
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: str = "",
    ) -> Embedding:
        """The embedding of one picture: float32 [D], unit length.

        A path or bytes are a file, sent as it is; a PIL image or a uint8 array ([H,W,3] RGB, [H,W,4] RGBA or
        [H,W] grey) is encoded without loss. Raises InvalidInput for what is no picture.
        """
        call = self._settings.image_call(image, request_id, headers)
        row: Embedding = self._infer(call, timeout)[0]
        return row

    def embed_images(
        self,
        images: Iterable[I],
        *,
        concurrency: int = 16,
        on_error: OnError = "raise",
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Embedded[I]]:
        """Pairs (image, embedding) in the order of `images`, while they come; `timeout` counts for each picture.

        `concurrency` requests are under way at a time, and no more than twice as many pictures are held; `images` may
        be endless. `on_error`: "raise" the first error; "skip" a picture that fails; or a function of (image, error),
        called in the consumer's thread, which is told about it. An error that concerns the whole server
        (ServerUnreachable, NotFound, AccessDenied) is always raised. Leaving the loop early is fine.
        """
        checked_bulk(concurrency, on_error)

        def embed(image: I) -> Embedding:
            return self.embed_image(image, timeout=timeout, headers=headers)

        return _embedded(embed, images, concurrency, on_error)

    def embed_text(
        self,
        text: str | Sequence[str],
        *,
        language: str | None = None,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: str = "",
    ) -> Embedding:
        """The embedding of a text, float32 [D]; of a sequence of n texts, float32 [n,D]; unit length.

        `language`: ISO 639-1 code for models that take one. `timeout` and `request_id` count for each batch that
        a long sequence is sent in.
        """
        if isinstance(text, str):
            row: Embedding = self._infer(self._settings.text_call([text], language, request_id, headers), timeout)[0]
            return row
        texts = checked_texts(text)
        batches = [texts] if len(texts) == 1 else text_batches(texts, self._text_model_config(timeout))
        calls = (self._settings.text_call(batch, language, request_id, headers) for batch in batches)
        return np.concatenate([self._infer(call, timeout) for call in calls])

    def server_status(self, *, timeout: float | None = None) -> ServerStatus:
        """State, device and load of every model.

        What cannot be read leaves columns empty, and `note` says why: metrics that are not reachable, or an index that
        the server shows only to those who send its control header.
        """
        notes = []
        statistics = self._send(self._transport.model_statistics, timeout)
        try:
            index = self._send(self._transport.model_index, timeout)
        except AccessDenied:
            index = index_of_ready(statistics)
            notes.append(INDEX_CLOSED)
        configs = {}
        for name in ready_models(index):
            with contextlib.suppress(NotFound):  # unloaded since the index was read
                configs[name] = self._model_config(name, timeout)
        page = metrics.Metrics()
        try:
            page = metrics.fetch(self._settings.metrics_page(), timeout or self._settings.timeout)
        except metrics.MetricsUnreachable as error:
            notes.append(str(error))
        return server_status(index, configs, statistics, page, *notes)

    def close(self) -> None:
        """Break off what is under way and free the connections; the client cannot be used afterwards."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _infer(self, call: Call, timeout: float | None) -> Embedding:
        return embeddings(call, self._send(lambda left: self._transport.infer(call, left), timeout))

    def _text_model_config(self, timeout: float | None) -> Json:
        if self._text_config is None:
            self._text_config = self._model_config(self._settings.text_model, timeout)
        return self._text_config

    def _model_config(self, name: str, timeout: float | None) -> Json:
        return self._send(lambda left: self._transport.model_config(name, left), timeout)

    def _send(self, once: Callable[[float], T], timeout: float | None) -> T:
        return send(once, self._settings.retry, self._settings.timeout if timeout is None else timeout)


def _embedded(embed: Callable[[I], Embedding], images: Iterable[I], concurrency: int, on_error: OnError) -> Iterator[Embedded[I]]:
    results = bulk.in_order(embed, images, concurrency)
    try:
        for image, future in results:
            error = future.exception()
            if error is None:
                yield Embedded(image, future.result())
            else:
                handle(on_error, image, error)
    finally:
        results.close()
