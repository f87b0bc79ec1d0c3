"""The body of /v1/embeddings -> texts and pictures, in their order; nothing is fetched from anywhere."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Self

import orjson

from triptych.errors import InvalidInput
from triptych.gateway.refusals import Malformed

MAX_INPUTS = 256
"""Inputs of one request."""
_ITEM = 'a text, a data URL ("data:image/jpeg;base64,…"), {"text": …} or {"image": a data URL or base64}'
_REMOTE = "pictures are not fetched from addresses; send the file as a data URL"


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """`inputs`: str for texts, bytes for encoded pictures. `base64`: whether embeddings go back as base64 of little-endian float32.

    Raises Malformed and InvalidInput.
    """

    model: str
    inputs: tuple[str | bytes, ...]
    base64: bool = False
    dimensions: int | None = None
    language: str | None = None

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From JSON, as OpenAI's API has it; `language` is ours, and `user` counts for nothing."""
        try:
            fields = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Malformed(f"the body is no JSON: {error}") from None
        if not isinstance(fields, dict) or not isinstance(model := fields.get("model"), str) or not model.strip():
            raise Malformed("model is missing; expected the name of the served CLIP, which /v1/models tells")
        if (coding := fields.get("encoding_format", "float")) not in ("float", "base64"):
            raise Malformed(f"encoding_format is {coding!r}; expected float or base64")
        dimensions, language = fields.get("dimensions"), fields.get("language")
        if dimensions is not None and (isinstance(dimensions, bool) or not isinstance(dimensions, int)):
            raise Malformed(f"dimensions is {dimensions!r}; expected a whole number, or leave it out")
        if language is not None and not isinstance(language, str):
            raise Malformed("language is no string; expected a code such as de or pt-BR")
        given = fields.get("input")
        items = given if isinstance(given, list) else [given]
        if not items:
            raise Malformed("input is empty; there is nothing to embed")
        if len(items) > MAX_INPUTS:
            raise Malformed(f"input has {len(items)} items, and the limit is {MAX_INPUTS}; send several requests")
        return cls(model, tuple(_item(item, index) for index, item in enumerate(items)), coding == "base64", dimensions, language or None)


def _item(item: Any, index: int) -> str | bytes:
    match item:
        case str() if item.startswith("data:"):
            return _data_url(item, index)
        case str() if item.startswith(("http://", "https://")):
            raise InvalidInput(f'input {index} is an address: {_REMOTE}; to embed the address itself, send {{"text": …}}')
        case str() | {"text": str()}:
            text = item if isinstance(item, str) else item["text"]
            if not text:
                raise InvalidInput(f"input {index} is an empty text")
            return text
        case {"image": str() as image}:
            if image.startswith(("http://", "https://")):
                raise InvalidInput(f"input {index}: {_REMOTE}")
            return _data_url(image, index) if image.startswith("data:") else _decoded(image, index)
        case int() | [int(), *_]:
            raise Malformed(f"input {index} is tokens, which depend on a tokenizer of another model; send the text")
    raise Malformed(f"input {index} is none of: {_ITEM}")


def _data_url(url: str, index: int) -> bytes:
    head, comma, data = url.partition(",")
    if not comma or not head.endswith(";base64"):
        raise InvalidInput(f"input {index} is no data URL with base64: expected data:image/jpeg;base64,…")
    return _decoded(data, index)


def _decoded(data: str, index: int) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(f"input {index} is no base64") from None
