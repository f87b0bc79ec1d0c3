"""The detector's square: where a photo of any shape lies in it, and that points find the way there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.support.drawn import encode, picture
from triptych_server.vision.decode import Limits, decode_picture
from triptych_server.vision.letterbox import SIDE, Letterbox, letterbox, letterbox_min_side, opaque

SIDES = st.integers(1, 12_000)


@given(SIDES, SIDES)
def test_the_longer_side_fills_the_square_and_the_proportions_stay(width, height):
    filled_width, filled_height = Letterbox(width, height).filled
    assert max(filled_width, filled_height) == SIDE
    assert 1 <= min(filled_width, filled_height) <= SIDE
    exact = SIDE * min(width, height) / max(width, height)
    assert min(filled_width, filled_height) == max(int(exact), 1)


@given(SIDES, SIDES, st.lists(st.tuples(st.floats(-1, 2), st.floats(-1, 2)), max_size=8))
def test_points_go_there_and_back(width, height, relative):
    place = Letterbox(width, height)
    points = (np.array(relative).reshape(-1, 2) * [width, height]).astype(np.float32)
    back = place.to_photo(place.to_square(points))
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, points, rtol=1e-5, atol=1e-4 * max(width, height))


@given(SIDES, SIDES)
def test_corners_of_the_photo_are_corners_of_what_is_filled(width, height):
    place = Letterbox(width, height)
    np.testing.assert_allclose(place.to_photo(np.array([[0, 0], place.filled], np.float32)), [[0, 0], [width, height]], rtol=1e-5)


def test_boxes_are_two_points_each():
    boxes = np.array([[0, 0, 640, 320], [64, 32, 128, 64]], np.float32)
    np.testing.assert_allclose(
        Letterbox(1280, 640).to_photo(boxes.reshape(-1, 2, 2)).reshape(-1, 4), [[0, 0, 1280, 640], [128, 64, 256, 128]]
    )


@given(SIDES, SIDES)
def test_decoding_keeps_at_least_the_pixels_that_the_square_shows(width, height):
    least = letterbox_min_side(width, height)
    assert least >= min(Letterbox(width, height).filled)
    assert least <= SIDE


def square_of(image, kind="png", **options):
    return letterbox(decode_picture(encode(image, kind, **options), Limits(), letterbox_min_side))


def quarters(width, height):
    """Red, green, blue, white: left top, right top, left bottom, right bottom."""
    colours = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    return Image.fromarray(colours).resize((width, height), Image.Resampling.NEAREST)


@pytest.mark.parametrize(("width", "height"), [(640, 640), (1440, 1080), (1080, 1440), (300, 200), (20, 30), (4000, 3000)], ids=str)
@pytest.mark.parametrize(("kind", "options"), [("png", {}), ("jpeg", {"quality": 95, "subsampling": 0})], ids=["png", "jpeg"])
def test_the_photo_lies_in_the_top_left_corner_and_the_rest_is_black(width, height, kind, options):
    square = square_of(quarters(width, height), kind, **options)
    assert square.shape == (SIDE, SIDE, 3)
    assert square.dtype == np.uint8
    right, bottom = Letterbox(width, height).filled
    assert not square[bottom:].any()
    assert not square[:, right:].any()
    corners = square[[bottom // 4, bottom // 4, -(-bottom * 3 // 4), -(-bottom * 3 // 4)], [right // 4, right * 3 // 4] * 2]
    np.testing.assert_allclose(corners, [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], atol=12)
    assert square[:bottom, :right].max(axis=2).min() > 100  # no black line at the edges


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3000, 1), (1, 3000), (641, 2)])
def test_threads_and_points_of_pictures_are_taken(width, height):
    square = square_of(picture(width, height))
    right, bottom = Letterbox(width, height).filled
    assert not square[bottom:].any()
    assert not square[:, right:].any()


def test_a_reduced_jpeg_gives_nearly_the_picture_that_full_decoding_gives():
    data = encode(picture(2000, 1500), "jpeg")
    reduced = letterbox(decode_picture(data, Limits(), letterbox_min_side)).astype(int)
    whole = letterbox(decode_picture(data, Limits())).astype(int)
    assert np.abs(reduced - whole).mean() < 1.5
    assert decode_picture(data, Limits(), letterbox_min_side).scale < 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(orientation):
    upright = picture(900, 600)
    exif = Image.Exif()
    exif[0x0112] = orientation
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Transpose methods that store it so
    stored = upright.transpose(Image.Transpose(back[orientation])) if orientation > 1 else upright
    turned = square_of(stored, "jpeg", exif=exif.tobytes(), quality=95).astype(int)
    assert np.abs(turned - square_of(upright, "jpeg", quality=95)).mean() < 1.5


def test_colour_under_transparency_stays_and_cmyk_black_stays_black():
    image = picture(64, 64).convert("RGBA")
    image.putalpha(0)
    np.testing.assert_array_equal(square_of(image), square_of(picture(64, 64)))
    assert opaque(Image.new("CMYK", (2, 2), (0, 0, 0, 255))).getpixel((0, 0)) == (0, 0, 0)
    assert opaque(Image.new("LA", (2, 2), (90, 0))).getpixel((0, 0)) == 90
