"""Decoding for faces: as small as the square and the smallest face allow, within the limits, and once for both squares of a photo."""

import numpy as np
import pytest

from tests.support.bad_images import SMALL_BYTE_BUDGET, bad_images, odd_but_good, over_byte_budget
from tests.support.drawn import encode, picture
from triptych_server.errors import ConfigError, ImageTooLargeError, InvalidInputError
from triptych_server.vision import face_pixels, photo_pixels
from triptych_server.vision.alignment import TEMPLATE
from triptych_server.vision.clip_transform import ClipTransform
from triptych_server.vision.decode import decode_picture
from triptych_server.vision.face_pixels import FacePixels
from triptych_server.vision.photo_pixels import PhotoPixels

LARGE = encode(picture(2400, 1800), "jpeg")


def faces_of(scale):
    """One face of `scale` times the crop's size."""
    return (TEMPLATE * scale + 20).astype(np.float32)[None]


@pytest.fixture
def scales(monkeypatch):
    """At which scale each picture was decoded."""
    seen = []

    def spy(*args):
        seen.append(decode_picture(*args))
        return seen[-1]

    monkeypatch.setattr(face_pixels, "decode_picture", spy)
    monkeypatch.setattr(photo_pixels, "decode_picture", spy)
    return lambda: [picture.scale for picture in seen]


def test_the_square_needs_no_more_than_its_own_size(scales):
    square, size = FacePixels().square(LARGE)
    assert scales() == [3 / 8]  # 900 pixels, of which the square shows 640
    assert square.shape == (640, 640, 3)
    np.testing.assert_array_equal(size, np.int32([2400, 1800]))


@pytest.mark.parametrize(("face", "scale"), [(1.0, 1.0), (3.0, 1.0), (4.1, 0.5), (8.1, 0.25), (15.0, 1 / 4)])
def test_crops_need_two_pixels_for_each_of_theirs(scales, face, scale):
    FacePixels().crops(LARGE, faces_of(face))
    assert scales() == [scale]


def test_the_smallest_face_decides(scales):
    FacePixels().crops(LARGE, np.concatenate([faces_of(8.0), faces_of(1.0)]))
    assert scales() == [1.0]


def test_exact_decodes_in_full(scales):
    exact = FacePixels(decode="exact")
    exact.square(LARGE)
    exact.crops(LARGE, faces_of(8.0))
    assert scales() == [1.0, 1.0]


def test_no_face_decodes_nothing(scales):
    assert FacePixels().crops(b"not even looked at", np.zeros((0, 5, 2), np.float32)).shape == (0, 112, 112, 3)
    assert scales() == []


def test_a_photo_is_decoded_once_for_clip_and_faces(scales):
    squares = PhotoPixels(ClipTransform(224))(LARGE)
    assert scales() == [3 / 8]
    assert squares.clip.shape == (224, 224, 3)
    np.testing.assert_array_equal(squares.faces, FacePixels().square(LARGE)[0])
    np.testing.assert_array_equal(squares.size, [2400, 1800])


@pytest.mark.parametrize("decode", ["scaled", "exact"])
@pytest.mark.parametrize("size", [224, 900])
def test_the_clip_square_of_a_photo_is_clips_own(decode, size):
    clip = ClipTransform(size, decode=decode)
    off = np.abs(PhotoPixels(clip)(LARGE).clip.astype(int) - clip(LARGE))
    assert off.mean() < 1
    if decode == "exact":
        assert not off.any()


def test_parameters_are_those_of_clip_preprocess():
    parameters = {
        "size": "336",
        "resize_mode": "squash",
        "interpolation": "bilinear",
        "decode": "exact",
        "max_pixels": "9",
        "max_bytes": "99",
    }
    assert PhotoPixels.from_parameters(parameters).clip == ClipTransform(336, "squash", "bilinear", "exact", 9, 99)


@pytest.mark.parametrize("make", [lambda data: FacePixels().square(data), PhotoPixels(ClipTransform(224))], ids=["faces", "photo"])
def test_every_bad_picture_is_refused_with_its_reason_and_odd_ones_are_taken(make):
    for case in bad_images():
        with pytest.raises(InvalidInputError) as error:
            make(case.data)
        assert case.reason.lower() in str(error.value).lower(), case.name
    for name, data in odd_but_good():
        assert make(data) is not None, name


def test_the_byte_limit_holds_for_both_decodings():
    small, case = FacePixels(max_bytes=SMALL_BYTE_BUDGET), over_byte_budget()
    for decode in (small.square, lambda data: small.crops(data, faces_of(1.0))):
        with pytest.raises(ImageTooLargeError, match=case.reason):
            decode(case.data)


@pytest.mark.parametrize("wrong", [{"decode": "fast"}, {"max_pixels": "0"}, {"max_bytes": "-1"}, {"max_bytes": "many"}, {"sides": "3"}])
def test_wrong_parameters_are_config_errors(wrong):
    with pytest.raises(ConfigError):
        FacePixels.from_parameters(wrong)
