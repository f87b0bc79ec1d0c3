"""What Client and AsyncClient are set up with, checked once, and the calls made from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from triptych.calls import Call, checked_headers, image_call, text_call
from triptych.endpoint import Endpoint
from triptych.errors import InvalidInput, TriptychError
from triptych.images import ImageInput
from triptych.retry import RetryPolicy
from triptych.tls import TLS
from triptych.transport.base import Connection

OnError = Literal["raise", "skip"] | Callable[[Any, TriptychError], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """A server's address and how to talk to it; `headers` are as the caller gave them."""

    url: str
    timeout: float
    headers: Mapping[str, str] | None
    tls: TLS | None
    retry: RetryPolicy
    metrics_url: str | None
    image_model: str
    text_model: str
    connection: Connection = field(init=False)

    def __post_init__(self) -> None:
        if not self.timeout > 0:
            raise InvalidInput(f"a timeout is a positive number of seconds, not {self.timeout}")
        connection = Connection(Endpoint.parse(self.url), checked_headers(self.headers), self.tls)
        object.__setattr__(self, "connection", connection)

    def image_call(self, image: ImageInput, request_id: str, headers: Mapping[str, str] | None) -> Call:
        return image_call(self.image_model, image, request_id=request_id, headers=self._headers(headers))

    def text_call(self, texts: Sequence[str], language: str | None, request_id: str, headers: Mapping[str, str] | None) -> Call:
        return text_call(self.text_model, texts, language, request_id=request_id, headers=self._headers(headers))

    def metrics_page(self) -> str:
        return self.metrics_url or self.connection.endpoint.metrics_url()

    def _headers(self, more: Mapping[str, str] | None) -> dict[str, str]:
        return {**self.connection.headers, **checked_headers(more)}


def checked_texts(texts: Sequence[str]) -> Sequence[str]:
    """A sequence with at least one text; raises InvalidInput."""
    if not isinstance(texts, Sequence):
        raise InvalidInput(f"texts are a str or a sequence of str, not {type(texts).__name__}")
    if not texts:
        raise InvalidInput("there is no text to embed: the sequence is empty")
    return texts


def checked_bulk(concurrency: int, on_error: OnError) -> None:
    """Raise InvalidInput for options of embed_images that make no sense, before the first picture is read."""
    if concurrency < 1:
        raise InvalidInput(f"concurrency is at least 1, not {concurrency}")
    if on_error not in ("raise", "skip") and not callable(on_error):
        raise InvalidInput(f"on_error is 'raise', 'skip' or a function of (image, error), not {on_error!r}")


def handle(on_error: OnError, image: Any, error: BaseException) -> None:
    """Raise `error`, or let `on_error` have it when it concerns this picture alone."""
    if on_error == "raise" or not isinstance(error, TriptychError) or error.concerns_server:
        raise error
    if callable(on_error):
        on_error(image, error)
