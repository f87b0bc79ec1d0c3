"""What Client and AsyncClient are set up with, checked once, and the calls made from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from triptych.calls import FACES, Call, checked_headers, image_call, text_call
from triptych.endpoint import Endpoint
from triptych.errors import InvalidInput
from triptych.face_options import FaceOptions
from triptych.images import ImageInput
from triptych.retry import RetryPolicy
from triptych.tls import TLS
from triptych.transport.base import Connection
from triptych.wanted import Wanted


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
    faces_model: str
    photo_model: str
    connection: Connection = field(init=False)

    def __post_init__(self) -> None:
        if not self.timeout > 0:
            raise InvalidInput(f"a timeout is a positive number of seconds, not {self.timeout}")
        connection = Connection(Endpoint.parse(self.url), checked_headers(self.headers), self.tls)
        object.__setattr__(self, "connection", connection)

    def image_call(self, image: ImageInput, request_id: str, headers: Mapping[str, str] | None) -> Call:
        return image_call(self.image_model, image, request_id=request_id, headers=self._headers(headers))

    def faces_call(self, image: ImageInput, options: FaceOptions, request_id: str, headers: Mapping[str, str] | None) -> Call:
        more = self._headers(headers)
        return image_call(self.faces_model, image, outputs=FACES, options=options, request_id=request_id, headers=more)

    def photo_call(self, image: ImageInput, wanted: Wanted, request_id: str, headers: Mapping[str, str] | None) -> Call:
        model = self.photo_model if wanted.faces else self.image_model  # photo's CLIP comes after the faces
        more = self._headers(headers)
        return image_call(model, image, outputs=wanted.outputs, options=wanted.options, request_id=request_id, headers=more)

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
