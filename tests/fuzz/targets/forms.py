"""Any bytes, as the content type and the body of /predict -> a form, and what its entries ask.

Must hold: errors of the caller alone (status below 500), which show nothing of the inside; however the network parts a body, the form is the
same; entries that were taken hold a name for whatever they ask, and a score in its range.
"""

from collections.abc import AsyncIterator
from zlib import crc32

from tests.fuzz.target import Target
from tests.support.bad_images import INSIDE
from triptych.errors import TriptychError
from triptych.gateway.entries import Entries
from triptych.gateway.form import Form, read_form
from triptych.gateway.refusals import status_of


def check(data: bytes) -> None:
    head, _, body = data.partition(b"\n")
    content_type = head.decode("latin-1")
    whole = _form(content_type, [body])
    size = 1 + crc32(body) % 16
    parted = _form(content_type, [body[at : at + size] for at in range(0, len(body), size)])
    assert parted == whole or (not isinstance(parted, Form) and not isinstance(whole, Form)), (size, parted, whole)
    if isinstance(whole, Form):
        _entries(whole.entries)


def _form(content_type: str, pieces: list[bytes]) -> Form | str:
    async def chunks() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    try:
        read_form(content_type, chunks()).send(None)  # waits for nothing, so that one step is all
    except StopIteration as answer:
        form: Form = answer.value
        return form
    except TriptychError as error:
        return _callers(error)
    raise AssertionError("reading the form waited for something")


def _entries(text: str) -> None:
    try:
        entries = Entries.parse(text)
    except TriptychError as error:
        _callers(error)
        return
    for name in (entries.visual, entries.textual, entries.detection, entries.recognition):
        assert name is None or name.strip()
    assert entries.min_score is None or 0 <= entries.min_score <= 1


def _callers(error: TriptychError) -> str:
    assert 400 <= status_of(error) < 500, error
    assert not INSIDE.search(str(error)), str(error)
    return str(error)


def seeds() -> list[bytes]:
    kind = b'multipart/form-data; boundary="B-1"\n'
    entries = (
        b'{"clip":{"visual":{"modelName":"ViT"}}}',
        b'{"clip":{"textual":{"modelName":"ViT","options":{"language":"de"}}}}',
        b'{"facial-recognition":{"detection":{"modelName":"b","options":{"minScore":0.7}},"recognition":{"modelName":"b"}}}',
        b'{"ocr":{}}',
        b"[]",
        b"{",
        b"\xff",
        b'{"clip":' * 300,
    )
    part = b'--B-1\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
    file = b'--B-1\r\ncontent-disposition: form-data; name="image"; filename*=UTF-8\'\'a%FF; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\r\n--B\r\n'
    multipart = [kind + part % (b"entries", text) + file + b"--B-1--\r\n" for text in entries]
    encoded = [
        b"application/x-www-form-urlencoded; charset=utf-8\nentries=%7B%7D&text=a+b&text=c",
        b"application/x-www-form-urlencoded\n" + b"a=b&" * 20,
    ]
    odd = [b"multipart/form-data\n", b"multipart/form-data; boundary=\n--\r\n", b"text/plain\nx", b"\n", kind + part % (b"text", b"x")]
    return [*multipart, *encoded, *odd, kind + part % (b"entries", b"{}") * 2 + b"--B-1--"]


TARGET = Target(check, seeds, max_length=1500)
