"""A form as it streams in -> its fields `entries`, `image` and `text`: parsed piece by piece, joined once, never on disk."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qs

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from triptych.gateway.refusals import Malformed, TooLarge

FIELDS = ("entries", "image", "text")
MAX_FIELDS = 10
"""Of a form, strange ones among them."""
MOST_ENTRIES = 64 << 10
"""Bytes of the field entries; 64 MiB of JSON would become gigabytes of objects."""
MOST_ENCODED = 256 << 10
"""Bytes of a url-encoded form, which is for texts: the longest entries with every byte as %41, which becomes an object each, and a text."""
_ENTRIES = "the field entries is missing; expected multipart/form-data with entries (JSON), and image (a file) or text"


@dataclass(frozen=True, slots=True)
class Form:
    """`entries`: JSON. `image`: an encoded picture; it wins where there is a `text` too."""

    entries: str
    image: bytes | None
    text: str | None


async def read_form(content_type: str, chunks: AsyncIterator[bytes]) -> Form:
    """Read and part the whole form; file names and content types of its parts count for nothing. Raises Malformed, TooLarge."""
    kind, parameters = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        fields = await _multipart(parameters.get(b"boundary", b""), chunks)
    elif kind == b"application/x-www-form-urlencoded":
        body = await _bounded(chunks, MOST_ENCODED)
        try:
            pairs = parse_qs(body, keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError:
            raise Malformed(f"the form is not url-encoded, or has over {MAX_FIELDS} fields; expected multipart/form-data") from None
        fields = {name.decode("latin-1"): values[-1] for name, values in pairs.items()}
    else:
        raise Malformed(f"the content type is {content_type[:80]!r}; expected multipart/form-data")
    if "entries" not in fields:
        raise Malformed(_ENTRIES)
    if len(fields["entries"]) > MOST_ENTRIES:
        raise Malformed(f"the field entries has {len(fields['entries']):,} bytes; expected {MOST_ENTRIES:,} at most")
    image, text = fields.get("image"), fields.get("text")
    return Form(_text("entries", fields["entries"]), image, None if text is None or image is not None else _text("text", text))


async def _bounded(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    body = bytearray()  # grows in place, however small the chunks are
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise TooLarge(f"the url-encoded form has over {limit:,} bytes; send a picture as multipart/form-data")
    return bytes(body)


async def _multipart(boundary: bytes, chunks: AsyncIterator[bytes]) -> dict[str, bytes]:
    parts = _Parts()
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]  # its callbacks are a TypedDict of its own
        async for chunk in chunks:
            parser.write(chunk)
    except FormParserError as error:
        raise Malformed(f"the form is no multipart/form-data: {error}") from None
    if not parts.ended:
        raise Malformed("the form ends before its last boundary")
    return {name: b"".join(pieces) for name, pieces in parts.fields.items()}


class _Parts:
    """Takes the parser's events; a field's pieces are views of the chunks that they came in, and the last of several of a name counts."""

    def __init__(self) -> None:
        self.fields: dict[str, list[memoryview]] = {}
        self.ended = False
        self._count = 0
        self._header = b""
        self._value = b""
        self._pieces: list[memoryview] | None = None

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header,
            "on_header_value": self._on_value,
            "on_header_end": self._header_ends,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._count += 1
        if self._count > MAX_FIELDS:
            raise Malformed(f"the form has over {MAX_FIELDS} fields; expected entries, and image or text")
        self._pieces = None

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            name = parse_options_header(self._value)[1].get(b"name", b"").decode("latin-1")
            if name in FIELDS:
                self._pieces = self.fields[name] = []
        self._header = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._pieces is not None:
            self._pieces.append(memoryview(data)[start:end])

    def _end(self) -> None:
        self.ended = True


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Malformed(f"the field {name} is no UTF-8") from None
