"""Decoding: limits, every pixel format, and a refusal with a good sentence for everything that is no sound picture."""

import re
import struct
from io import BytesIO

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tests.support.bad_images import SMALL_BYTE_BUDGET, BadImage, bad_images, odd_but_good, over_byte_budget
from tests.support.drawn import ENCODINGS, encode, picture
from triptych_server.errors import ImageTooLargeError, InvalidImageError, InvalidInputError
from triptych_server.vision.clip_transform import ClipTransform
from triptych_server.vision.decode import Limits, decode_picture

BOTH = [ClipTransform(64, decode="exact"), ClipTransform(64, decode="scaled")]
MODES = pytest.mark.parametrize("transform", BOTH, ids=lambda transform: transform.decode)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about broken metadata


def pixels(data: bytes) -> NDArray[np.int16]:
    return np.asarray(decode_picture(data, Limits()).image.convert("RGB")).astype(np.int16)


def saved(image: Image.Image, name: str, **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def test_the_corpus_is_large_and_every_case_is_its_own() -> None:
    cases = bad_images()
    assert len(cases) >= 70
    assert len({case.name for case in cases}) == len({case.data for case in cases}) == len(cases)
    assert bad_images() == cases


@MODES
@pytest.mark.parametrize("case", bad_images(), ids=lambda case: case.name)
def test_a_bad_image_is_refused_with_its_reason(case: BadImage, transform: ClipTransform) -> None:
    with pytest.raises((InvalidImageError, ImageTooLargeError)) as caught:
        transform(case.data)
    message = str(caught.value)
    assert case.reason in message
    assert isinstance(caught.value, ImageTooLargeError) == ("limit" in case.reason)
    assert message[0].isupper()
    assert message.endswith(".")
    assert not re.search(r"0x[0-9a-f]{6}|Traceback|site-packages|\.py|BytesIO|File ", message)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@MODES
@pytest.mark.parametrize(("name", "data"), odd_but_good(), ids=[name for name, _ in odd_but_good()])
def test_odd_metadata_rejects_no_picture(name: str, data: bytes, transform: ClipTransform) -> None:
    assert transform(data).shape == (64, 64, 3)


def test_broken_exif_leaves_the_picture_upright() -> None:
    plain = BOTH[0](encode(picture(), "jpeg"))
    cases = [data for name, data in odd_but_good() if name.startswith("jpeg_exif") and "two_numbers" not in name and "count" not in name]
    assert len(cases) > 5
    for data in cases:
        assert np.array_equal(BOTH[0](data), plain)


def test_the_byte_budget_is_checked_first_and_holds_to_the_byte() -> None:
    case = over_byte_budget()
    small = ClipTransform(64, max_bytes=SMALL_BYTE_BUDGET)
    assert len(case.data) == SMALL_BYTE_BUDGET + 1
    assert small(case.data[:-1]).shape == (64, 64, 3)
    for data in (case.data, memoryview(case.data), bytes(len(case.data))):  # the zeros are no picture either: the budget comes first
        with pytest.raises(ImageTooLargeError, match=case.reason):
            small(data)


def test_the_pixel_budget_holds_to_the_pixel() -> None:
    data = encode(picture(96, 64), "png")
    decode_picture(data, Limits(max_pixels=96 * 64))
    with pytest.raises(ImageTooLargeError, match=r"96 x 64 = 6,144 pixels, more than the limit of 6,143"):
        decode_picture(data, Limits(max_pixels=96 * 64 - 1))


def test_a_budget_above_pillows_own_bomb_limit_is_the_one_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for kind in ("jpeg", "png", "bmp"):
        assert decode_picture(encode(picture(), kind), Limits()).image.size == (96, 64)


@MODES
@pytest.mark.parametrize("shape", [(1200, 900, "RGB"), (1200, 900, "L"), (96, 64, "RGB")])
@pytest.mark.parametrize("kind", ["jpeg", "progressive"])
def test_a_jpeg_that_lost_its_end_is_refused_wherever_it_was_cut(kind: str, shape: tuple[int, int, str], transform: ClipTransform) -> None:
    data = encode(picture(*shape), kind)
    transform(data)
    lost = [1, 2, 3, 4, 8, 16, 64, 256, 1024, *(len(data) * part // 29 for part in range(1, 29))]
    for n in [n for n in lost if 2 < n < len(data)]:  # without its two-byte end mark alone it is whole
        with pytest.raises(InvalidImageError):
            transform(data[:-n])


@pytest.mark.parametrize("kind", [kind for kind in ENCODINGS if kind not in ("gif",)])
def test_every_format_gives_its_pixels(kind: str) -> None:
    assert np.abs(pixels(encode(picture(), kind)) - np.asarray(picture()).astype(np.int16)).mean() < 3


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue", "green")]
    for name in ("GIF", "WEBP", "PNG", "TIFF"):
        red, green, blue = pixels(saved(frames[0], name, save_all=True, append_images=frames[1:]))[15, 20]
        assert (red > 200, green < 60, blue < 60) == (True, True, True), name


@MODES
def test_transparent_pixels_do_not_bleed_into_the_picture(transform: ClipTransform) -> None:
    image = Image.new("RGBA", (256, 256), (0, 255, 0, 0))  # a green that must not be seen
    image.paste((255, 0, 0, 255), (0, 0, 128, 256))
    result = transform(saved(image, "PNG"))
    assert (result[:, :28] == (255, 0, 0)).all()
    assert result[:, :, 1].max() == 0


@MODES
def test_a_transparent_palette_is_smooth_like_a_plain_one(transform: ClipTransform) -> None:
    image = picture(256, 256).quantize(64)
    plain, transparent = saved(image, "PNG"), saved(image, "PNG", transparency=200)
    reference = np.asarray(image.convert("RGB").resize((64, 64), Image.Resampling.BICUBIC)).astype(np.int16)
    for data in (plain, transparent):
        assert Image.open(BytesIO(data)).mode == "P"
        assert np.abs(transform(data).astype(np.int16) - reference).mean() < 1


@MODES
@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "CMYK", "1", "P", "YCbCr"])
def test_every_mode_comes_out_as_the_rgb_picture_it_shows(mode: str, transform: ClipTransform) -> None:
    name = "PNG" if mode in ("L", "LA", "RGBA", "1", "P") else "TIFF"
    image = picture(128, 128, "L" if mode == "1" else "RGB").convert(mode)
    data = saved(image, name)
    assert Image.open(BytesIO(data)).mode == mode
    expected = np.asarray(image.convert("RGB").resize((64, 64), Image.Resampling.BICUBIC)).astype(np.int16)
    assert np.abs(transform(data).astype(np.int16) - expected).mean() < 2


@MODES
@pytest.mark.parametrize("size", [(128, 128), (900, 900)])
def test_a_cmyk_jpeg_comes_out_in_its_colours(size: tuple[int, int], transform: ClipTransform) -> None:
    data = encode(picture(*size, "CMYK"), "jpeg", quality=95)
    expected = np.asarray(picture(*size).resize((64, 64), Image.Resampling.BICUBIC)).astype(np.int16)
    assert np.abs(transform(data).astype(np.int16) - expected).mean() < 3


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_sixteen_bit_greys_are_scaled_not_clipped(name: str) -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)
    data = saved(Image.fromarray(np.tile(ramp, (32, 1))), name)
    assert np.array_equal(pixels(data)[0, :, 0], np.arange(256))


def test_big_endian_sixteen_bit_greys_are_scaled_too() -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(">u2")
    tags = [(256, 256), (257, 2), (258, 16), (259, 1), (262, 1), (273, 8 + 2 + 9 * 12 + 4), (277, 1), (278, 2), (279, 1024)]
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags)
    data = b"MM\0*" + struct.pack(">IH", 8, 9) + entries + bytes(4) + ramp.tobytes() * 2
    assert Image.open(BytesIO(data)).mode == "I;16B"
    assert np.array_equal(pixels(data)[0, :, 0], np.arange(256))


def test_sixteen_bit_colours_are_scaled_not_clipped() -> None:
    import zlib

    row = b"\0" + np.repeat(np.linspace(0, 65535, 256).round().astype(">u2"), 3).tobytes()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 256, 1, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(row)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(b)) + t + b + struct.pack(">I", zlib.crc32(t + b)) for t, b in chunks)
    assert np.array_equal(pixels(b"\x89PNG\r\n\x1a\n" + body)[0, :, 2], np.arange(256))


SOUND = {f"{kind}_{width}": encode(picture(width, 150), kind) for kind in ENCODINGS for width in (200, 40)}


@given(
    kind=st.sampled_from(sorted(SOUND)), edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1), keep=st.floats(0, 1)
)
@example(kind="jpeg_200", edits=[(0.0, 0)], keep=1.0)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_mutated_bytes_give_pixels_or_an_input_error(kind: str, edits: list[tuple[float, int]], keep: float) -> None:
    data = bytearray(SOUND[kind])
    for where, value in edits:
        data[int(where**2 * (len(data) - 1))] = value  # squared: more of them hit the header
    cut = bytes(data[: max(1, int(len(data) * min(1.0, keep * 2)))])
    outcomes: list[type[InvalidInputError] | None] = []
    for decode in ("exact", "scaled"):
        try:
            result = ClipTransform(16, decode=decode, max_pixels=2_000_000)(cut)
        except InvalidInputError as error:
            outcomes.append(type(error))
        else:
            assert result.shape == (16, 16, 3)
            outcomes.append(None)
    assert outcomes[0] is outcomes[1]  # a file is good or bad, however it is decoded


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_bytes_give_pixels_or_an_input_error(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        BOTH[1](data)
