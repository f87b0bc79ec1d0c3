"""The gateway's pure parts: forms cut anywhere, entries, headers of pictures, and work that its caller left."""

import asyncio
import contextlib
import io
import itertools
import struct
import threading
import zlib

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tests.support.immich import recorded
from triptych.errors import InvalidInput
from triptych.gateway.answer import vector
from triptych.gateway.body import chunks, until_gone
from triptych.gateway.entries import Entries
from triptych.gateway.form import Form, read_form
from triptych.gateway.picture import _SOON as SOON
from triptych.gateway.picture import Header, header_of
from triptych.gateway.predict import Predictor
from triptych.gateway.refusals import Gone, Malformed, Refused, TooLarge, TooSlow
from triptych.gateway.settings import GatewaySettings


def head_and_body(name, **content):
    head, _, body = recorded(name, **content).partition(b"\r\n\r\n")
    return next(line for line in head.decode().splitlines() if line.startswith("content-type")).partition(": ")[2], body


def form_of(kind, pieces):
    async def stream():
        for piece in pieces:
            yield piece

    return asyncio.run(read_form(kind, stream()))


@settings(max_examples=60, deadline=None)
@given(
    image=st.binary(max_size=300) | st.just(b"\r\n------formdata-undici-0427182936\r\n"), cuts=st.lists(st.integers(0, 700), max_size=12)
)
def test_a_form_is_the_same_wherever_its_pieces_end(image, cuts):
    kind, body = head_and_body("clip_visual", image=image)
    edges = [0, *sorted(cuts), len(body)]
    form = form_of(kind, [body[start:end] for start, end in itertools.pairwise(edges) if start < end])
    assert (form.image, form.text) == (image, None)
    assert Entries.parse(form.entries) == Entries(visual="ViT-B-32__openai")


def test_other_forms():
    assert form_of("application/x-www-form-urlencoded", [b"entries=%7B%7D&te", b"xt=two+boats"]).text == "two boats"
    for kind, body in (
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=b", b"no form"),
        ("application/x-www-form-urlencoded", b"a=b&" * 20),
        ("application/x-www-form-urlencoded", b"entries=\xff"),
        ("", b""),
    ):
        with pytest.raises(Malformed):
            form_of(kind, [body])
    with pytest.raises(Malformed, match="entries has 100,000 bytes"):
        form_of("application/x-www-form-urlencoded", [b"entries=" + b"a" * 100_000])
    kind, body = head_and_body("clip_textual", text="x")
    with pytest.raises(Malformed, match="text is no UTF-8"):
        form_of(kind, [body.replace(b"\r\nx\r\n", b"\r\n\xff\r\n")])


def test_a_form_of_endless_parts_or_headers_is_refused_at_once():
    kind, part = "multipart/form-data; boundary=b", b"--b\r\na:b\r\n\r\n\r\n"
    with pytest.raises(Malformed, match="over 10 fields"):
        form_of(kind, itertools.repeat(part))
    for headers in (itertools.repeat(b"a:b\r\n"), itertools.repeat(b"a" * 100), itertools.chain([b"a:"], itertools.repeat(b"b" * 100))):
        with pytest.raises(Malformed):
            form_of(kind, itertools.chain([b"--b\r\n"], headers))


NAMES = ["clip", "facial-recognition", "visual", "textual", "detection", "recognition", "modelName", "options", "minScore", "language"]
LEAVES = st.none() | st.booleans() | st.floats() | st.text(max_size=5)


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner)))
def test_no_entries_are_more_than_malformed(value):
    with contextlib.suppress(Refused):
        Entries.parse(orjson.dumps(value).decode())


def test_options_of_entries():
    text = '{"facial-recognition":{"recognition":{"modelName":"b"},"detection":{"modelName":"b","options":{"minScore":0}}}}'
    assert Entries.parse(text) == Entries(detection="b", recognition="b", min_score=0.0)
    text = '{"clip":{"textual":{"modelName":"m","options":{"language":"pt-BR","new":[]}}}}'
    assert Entries.parse(text) == Entries(textual="m", language="pt-BR")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_headers(kind):
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20)).save(buffer, kind)
    assert Header.read(buffer.getvalue(), 600) == Header(30, 20)
    with pytest.raises(InvalidInput, match=r"30 x 20 = 600 pixels, more than the limit of 599"):
        Header.read(buffer.getvalue(), 599)


def test_a_bomb_is_over_the_limit_whatever_pillow_thinks():
    buffer = io.BytesIO()
    Image.new("1", (20000, 10000)).save(buffer, "PNG")
    with pytest.raises(InvalidInput, match="more than the limit of 100,000,000"):
        Header.read(buffer.getvalue(), 100_000_000)


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("place", ["before", "behind"])
@pytest.mark.parametrize("kind", ["eXIf", "XMP"])
def test_a_pngs_orientation_is_read_without_its_pixels_wherever_it_stands(kind, place, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = 6
    xmp = b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>'
    more = png_chunk(b"eXIf", exif.tobytes()[6:]) if kind == "eXIf" else png_chunk(b"iTXt", xmp)
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20)).save(buffer, "PNG")
    data, at = buffer.getvalue(), 33 if place == "before" else -12  # behind IHDR, or before IEND
    data = data[:at] + more + data[at:]
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif()[0x0112] == 6
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", None)
    assert Header.read(data, 600) == Header(30, 20, 6)


def test_nobody_waits_while_a_header_is_read(monkeypatch):
    """Of a picture made up of empty segments, 64 MiB take half a minute."""
    others = threading.Event()
    monkeypatch.setattr(Header, "read", lambda data, most: others.wait(60) and Header(30, 20))

    async def ask():
        answer = asyncio.create_task(Predictor(None, GatewaySettings(), "id").answer(Entries(), Form("{}", b"slow", None)))
        await asyncio.sleep(0)
        others.set()
        return await answer

    assert asyncio.run(ask()) == {"imageHeight": 20, "imageWidth": 30}


@pytest.mark.parametrize(("exif_bytes", "read"), [(0, [SOON]), (2 * SOON, [SOON, None])])
async def test_the_first_bytes_of_a_jpeg_tell_all_or_the_whole_file_is_read(exif_bytes, read, monkeypatch):
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "a" * exif_bytes, 6  # a description before the orientation
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)).save(buffer, "JPEG", exif=exif)
    data, lengths, whole = buffer.getvalue(), [], Header.read
    monkeypatch.setattr(Header, "read", lambda data, most: lengths.append(len(data)) or whole(data, most))
    assert await header_of(data, 60_000) == Header(300, 200, 6)
    assert lengths == [length or len(data) for length in read]
    with pytest.raises(InvalidInput, match=r"300 x 200 = 60,000 pixels, more than the limit of 59,999"):
        await header_of(data, 59_999)


async def test_a_url_encoded_form_is_for_texts():
    """Each %41 becomes an object while nobody else is answered."""

    async def stream():
        yield b"entries={}&text="
        while True:
            yield b"%41" * 20_000

    with pytest.raises(TooLarge, match=r"262,144 bytes; send a picture as multipart"):
        await read_form("application/x-www-form-urlencoded", stream())


def test_numbers_are_the_shortest():
    assert vector(np.array([0.1, -0.25, 1e-9, 1 / 3], np.float32)) == "[0.1,-0.25,1e-9,0.33333334]"


def receiving(*messages):
    queue = list(messages)

    async def receive():
        if queue:
            return queue.pop(0)
        return await asyncio.Event().wait()

    return receive


def piece(size, more=True):
    return {"type": "http.request", "body": bytes(size), "more_body": more}


GONE = {"type": "http.disconnect"}


@pytest.mark.parametrize(
    ("headers", "messages", "error"),
    [
        ({"content-length": "11"}, [], TooLarge),
        ({}, [piece(6), piece(6)], TooLarge),
        ({}, [piece(6)], TooSlow),
        ({}, [piece(6), GONE], Gone),
    ],
)
async def test_bodies_that_are_not_taken(headers, messages, error):
    with pytest.raises(error):
        _ = [chunk async for chunk in chunks(headers, receiving(*messages), 10, 0.05)]


async def test_work_ends_when_its_caller_hangs_up():
    cancelled = asyncio.Event()

    async def work():
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    with pytest.raises(Gone):
        await until_gone(receiving(GONE), work())
    assert cancelled.is_set()

    async def done():
        return 7

    assert await until_gone(receiving(), done()) == 7


async def test_a_limit_that_the_work_itself_ran_into_is_told_as_its_own():
    async def work():
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await until_gone(receiving(), work())
