"""Requests without I/O: pictures and texts -> a `Call` that any transport can send."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.errors import InvalidInput
from triptych.face_options import FaceOptions
from triptych.images import ImageInput, encoded

Tensors = Mapping[str, NDArray[Any]]
INTERACTIVE, BULK = 1, 2  # Triton's priority levels, 1 goes first: a person waits for a text query
EMBEDDING = ("embedding",)
FACES = ("boxes", "landmarks", "scores", "embeddings")
SIZE = ("size",)


@dataclass(frozen=True, slots=True)
class Call:
    """One inference request: inputs [b,1], encoded pictures and texts as object arrays of bytes; only `outputs` are asked for."""

    model: str
    inputs: Tensors
    priority: int
    outputs: tuple[str, ...] = EMBEDDING
    request_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def batch(self) -> int:
        return int(next(iter(self.inputs.values())).shape[0])


def image_call(
    model: str,
    image: ImageInput,
    *,
    outputs: tuple[str, ...] = EMBEDDING,
    options: FaceOptions | None = None,
    request_id: str,
    headers: Mapping[str, str],
) -> Call:
    """A call for one picture; raises InvalidInput when it cannot be read or encoded."""
    inputs = {"image": _column([encoded(image)]), **(options.tensors() if options else {})}
    return Call(model, inputs, BULK, outputs, request_id, headers)


def text_call(model: str, texts: Sequence[str], language: str | None, *, request_id: str, headers: Mapping[str, str]) -> Call:
    """A call for one batch of texts, all of one language; raises InvalidInput for what is not text."""
    inputs = {"text": _column([_utf8(text) for text in texts])}
    if language is not None:
        inputs["language"] = _column([_utf8(language)] * len(texts))
    return Call(model, inputs, INTERACTIVE, request_id=request_id, headers=headers)


def text_batches(texts: Sequence[str], config: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """Texts in pieces the model takes; `config` is the text model's configuration."""
    size = max(1, int(config.get("max_batch_size", 1)))
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """A copy with lower-case names, as gRPC wants them; raises InvalidInput for what no protocol can carry."""
    checked = {}
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidInput(f"a header is a pair of strings, not {name!r}: {type(value).__name__}")
        token = name.replace("-", "").replace("_", "").replace(".", "")
        if not (token.isascii() and token.isalnum()) or name.lower().endswith("-bin"):
            raise InvalidInput(f"{name!r} is no header name: use letters, digits, '-', '_' and '.'")
        if not (value.isascii() and value.isprintable()):
            raise InvalidInput(f"the value of header {name!r} is not printable ASCII")
        checked[name.lower()] = value
    return checked


def _column(items: Sequence[bytes]) -> NDArray[np.object_]:
    column = np.empty((len(items), 1), dtype=np.object_)
    for row, item in enumerate(items):  # one by one: numpy would make a bytes array of the list and cut trailing NULs
        column[row, 0] = item
    return column


def _utf8(text: str) -> bytes:
    if not isinstance(text, str):
        raise InvalidInput(f"a text is a str, not {type(text).__name__}")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("the text holds half a surrogate pair and is not valid Unicode") from None
