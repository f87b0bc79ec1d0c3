"""Pictures in every form a caller may have them: what is sent decodes to the same pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from triptych.errors import InvalidInput
from triptych.images import UNCOMPRESSED_LIMIT, encoded

RANDOM = np.random.default_rng(7)


def decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def pixels(height: int, width: int, *channels: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (height, width, *channels), dtype=np.uint8)


def test_a_file_is_sent_byte_for_byte(tmp_path):
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"any bytes at all\x00")
    for form in (str(file), file, file.read_bytes(), bytearray(file.read_bytes()), memoryview(file.read_bytes())):
        assert encoded(form) == b"any bytes at all\x00"


@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_arrays_arrive_with_their_pixels(channels):
    array = pixels(5, 7, *channels)
    assert np.array_equal(np.asarray(decoded(encoded(array))), array)


def test_an_array_that_is_a_view_arrives_with_its_pixels():
    array = pixels(8, 8, 3)[::2, ::-1, ::-1]
    assert np.array_equal(np.asarray(decoded(encoded(array))), array)


def test_a_large_picture_is_compressed_without_loss():
    side = int((UNCOMPRESSED_LIMIT / 3) ** 0.5) + 1
    array = np.zeros((side, side, 3), np.uint8)
    array[::17, ::13] = (3, 2, 1)
    data = encoded(array)
    assert len(data) < UNCOMPRESSED_LIMIT / 10
    assert np.array_equal(np.asarray(decoded(data)), array)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_pil_images_keep_their_mode_and_pixels(mode):
    image = Image.fromarray(pixels(5, 7, 4), "RGBA").convert(mode)
    assert decoded(encoded(image)).mode == mode
    assert decoded(encoded(image)).tobytes() == image.tobytes()


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "HSV", "LAB"])
def test_rare_modes_become_rgb(mode):
    image = Image.new("LAB", (7, 5), (128, 140, 110)) if mode == "LAB" else Image.fromarray(pixels(5, 7, 3)).convert(mode)
    assert decoded(encoded(image)).tobytes() == image.convert("RGB").tobytes()


def test_transparency_of_a_palette_survives():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    image.info["transparency"] = 0
    assert np.asarray(decoded(encoded(image))).tolist() == [[[255, 0, 0, 0], [0, 255, 0, 255]]]


def test_sixteen_bit_grey_survives():
    image = Image.fromarray(np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000)
    assert decoded(encoded(image)).mode == "I;16"
    assert decoded(encoded(image)).tobytes() == image.tobytes()


def test_a_pil_image_is_turned_upright_and_left_alone():
    upright = Image.fromarray(pixels(4, 6, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    buffer = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(buffer, "PNG", exif=exif)
    lying = Image.open(buffer)
    assert decoded(encoded(lying)).tobytes() == upright.tobytes()
    assert lying.size == (4, 6)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint16),
        np.zeros((3, 224, 224), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_other_arrays_are_refused(array):
    with pytest.raises(InvalidInput, match="an array of pixels is"):
        encoded(array)


@pytest.mark.parametrize("image", [Image.new("F", (2, 2)), Image.new("I", (2, 2)), Image.new("RGB", (0, 2))])
def test_pil_images_without_a_meaning_are_refused(image):
    with pytest.raises(InvalidInput):
        encoded(image)


def test_a_truncated_pil_image_is_refused():
    buffer = io.BytesIO()
    Image.fromarray(pixels(64, 64, 3)).save(buffer, "JPEG")
    with pytest.raises(InvalidInput, match="cannot be decoded"):
        encoded(Image.open(io.BytesIO(buffer.getvalue()[:900])))


def test_what_cannot_be_read_is_refused(tmp_path):
    for path in (tmp_path / "missing.jpg", tmp_path, "with\0nul.jpg"):
        with pytest.raises(InvalidInput, match="cannot read"):
            encoded(path)
    for other in (None, 7, [1, 2]):
        with pytest.raises(InvalidInput, match="a picture is a path, bytes"):
            encoded(other)


def test_damaged_metadata_turns_a_picture_all_the_same():
    """A width that is a text: Pillow's own way of turning writes all of the EXIF anew, and raises struct.error there."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a photo"
    stream = io.BytesIO()
    Image.new("RGB", (30, 20)).save(stream, "JPEG", exif=exif)
    damaged = stream.getvalue().replace(b"\x01\x0e\x00\x02", b"\x01\x00\x00\x02", 1)
    sent = encoded(Image.open(io.BytesIO(damaged)))
    assert Image.open(io.BytesIO(sent)).size == (20, 30)
