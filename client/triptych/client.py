"""`Client`: pictures and texts in, embeddings and faces out, for ordinary and threaded code."""

import contextlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

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
from triptych.retry import RetryPolicy, send
from triptych.settings import Settings, checked_texts
from triptych.status import INDEX_CLOSED, ServerStatus, index_of_ready, ready_models, server_status
from triptych.tls import TLS
from triptych.transport import connect
from triptych.transport.base import Json
from triptych.wanted import Wanted

T = TypeVar("T")
I = TypeVar("I", bound=ImageInput)  # noqa: E741


class Client:
    """Talks to one Triton server; one Client serves any number of threads.

    `url`: `grpc://host:8001` (also without scheme), `grpcs://`, `http://host:8000` or `https://`.
    `timeout`: seconds that a call may take, all attempts together; a call can have its own.
    `headers`: sent with every request (gRPC metadata or HTTP headers); a call can add its own.
    `tls`: certificates for grpcs:// and https://. `retry`: when a request is sent again.
    `metrics_url`: for `server_status`; by default port 8002 of the same host.
    `image_model`, `text_model`, `faces_model`, `photo_model`: names of the models that are asked.

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
        faces_model: str = "faces",
        photo_model: str = "photo",
    ) -> None:
        models = (image_model, text_model, faces_model, photo_model)
        self._settings = Settings(url, timeout, headers, tls, retry or RetryPolicy(), metrics_url, *models)
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
        row: Embedding = answers.embeddings(call, self._infer(call, timeout))[0]
        return row

    def embed_images(
        self,
        images: Iterable[I],
        *,
        concurrency: int = 16,
        on_error: OnError = "raise",
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Generator[Embedded[I], None, None]:
        """Pairs (image, embedding) in the order of `images`, while they come; `timeout` counts for each picture.

        `concurrency` requests are under way at a time, and no more than twice as many pictures are held; `images` may
        be endless. `on_error`: "raise" the first error; "skip" a picture that fails; or a function of (image, error),
        called in the consumer's thread, which is told about it. An error that concerns the whole server
        (ServerUnreachable, NotFound, AccessDenied) is always raised. Leaving the loop early is fine.
        """
        bulk.checked(images, concurrency, on_error)

        def embed(image: I) -> Embedded[I]:
            return Embedded(image, self.embed_image(image, timeout=timeout, headers=headers))

        return bulk.results(embed, images, concurrency, on_error)

    def faces(
        self,
        image: ImageInput,
        *,
        min_score: float | None = None,
        max_faces: int | None = None,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: str = "",
    ) -> list[Face]:
        """The faces on one picture (any that `embed_image` takes), the surest first; [] where there are none.

        `min_score`: leave out faces that the detector is less sure of, 0 to 1. `max_faces`: only the surest so many, 0
        for all. What is not given is the server's choice.
        """
        return self._faces(image, FaceOptions(min_score, max_faces), timeout, headers, request_id)

    def faces_in_images(
        self,
        images: Iterable[I],
        *,
        min_score: float | None = None,
        max_faces: int | None = None,
        concurrency: int = 16,
        on_error: OnError = "raise",
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Generator[Found[I], None, None]:
        """Pairs (image, faces); everything else is as in `embed_images`."""
        bulk.checked(images, concurrency, on_error)
        options = FaceOptions(min_score, max_faces)

        def find(image: I) -> Found[I]:
            return Found(image, self._faces(image, options, timeout, headers))

        return bulk.results(find, images, concurrency, on_error)

    def analyze(
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
        """Embedding, faces and size of one picture, which is sent and decoded once.

        The server does no work for `embedding=False` or `faces=False`, of which one may be. `min_score` and `max_faces`
        are those of `faces`.
        """
        wanted = Wanted(embedding, faces, FaceOptions(min_score, max_faces))
        return self._analyze(image, wanted, timeout, headers, request_id)

    def analyze_images(
        self,
        images: Iterable[I],
        *,
        embedding: bool = True,
        faces: bool = True,
        min_score: float | None = None,
        max_faces: int | None = None,
        concurrency: int = 16,
        on_error: OnError = "raise",
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Generator[Analyzed[I], None, None]:
        """Pairs (image, analysis); everything else is as in `analyze` and `embed_images`."""
        bulk.checked(images, concurrency, on_error)
        wanted = Wanted(embedding, faces, FaceOptions(min_score, max_faces))

        def analyze(image: I) -> Analyzed[I]:
            return Analyzed(image, self._analyze(image, wanted, timeout, headers))

        return bulk.results(analyze, images, concurrency, on_error)

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
            row: Embedding = self._texts(self._settings.text_call([text], language, request_id, headers), timeout)[0]
            return row
        texts = checked_texts(text)
        batches = [texts] if len(texts) == 1 else text_batches(texts, self._text_model_config(timeout))
        calls = (self._settings.text_call(batch, language, request_id, headers) for batch in batches)
        return np.concatenate([self._texts(call, timeout) for call in calls])

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
        page = metrics.fetched(self._settings.metrics_page(), timeout or self._settings.timeout)
        ready = self._send(self._transport.server_ready, timeout)
        return server_status(index, configs, statistics, page, *notes, ready=ready)

    def close(self) -> None:
        """Break off what is under way and free the connections; the client cannot be used afterwards."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _faces(
        self, image: ImageInput, options: FaceOptions, timeout: float | None, headers: Mapping[str, str] | None, request_id: str = ""
    ) -> list[Face]:
        call = self._settings.faces_call(image, options, request_id, headers)
        return answers.faces(call, self._infer(call, timeout))

    def _analyze(
        self, image: ImageInput, wanted: Wanted, timeout: float | None, headers: Mapping[str, str] | None, request_id: str = ""
    ) -> Analysis:
        call = self._settings.photo_call(image, wanted, request_id, headers)
        return answers.analysis(call, self._infer(call, timeout), wanted)

    def _texts(self, call: Call, timeout: float | None) -> Embedding:
        return answers.embeddings(call, self._infer(call, timeout))

    def _infer(self, call: Call, timeout: float | None) -> Tensors:
        return self._send(lambda left: on_demand.infer(self._transport, call, left), timeout)

    def _text_model_config(self, timeout: float | None) -> Json:
        if self._text_config is None:
            self._text_config = self._model_config(self._settings.text_model, timeout)
        return self._text_config

    def _model_config(self, name: str, timeout: float | None) -> Json:
        headers = self._settings.connection.headers
        return self._send(lambda left: on_demand.model_config(self._transport, name, headers, left), timeout)

    def _send(self, once: Callable[[float], T], timeout: float | None) -> T:
        return send(once, self._settings.retry, self._settings.timeout if timeout is None else timeout)
