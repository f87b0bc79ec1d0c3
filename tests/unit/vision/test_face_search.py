"""From raw detections and the photo to the answer of a request, with a recogniser that is not there yet."""

import numpy as np
import pytest

from tests.support.drawn import encode, picture
from triptych_server.errors import InvalidInputError
from triptych_server.vision.alignment import TEMPLATE
from triptych_server.vision.face_options import FaceOptions
from triptych_server.vision.face_pixels import FacePixels
from triptych_server.vision.face_search import FaceSearch, FoundFaces

SEARCH = FaceSearch(FacePixels(), dim=6)


def request(scores=(0.9, 0.8), size=(1280, 640), options=None, photos=1):
    """Faces in a row, 100 pixels apart, in the detector's square."""
    left = np.arange(len(scores), dtype=np.float32)[:, None] * 100
    boxes = np.concatenate([left, left * 0, left + 80, left * 0 + 90], axis=1)
    landmarks = (TEMPLATE * 0.6).astype(np.float32)[None] + left[:, None] * [1, 0]
    image = encode(picture(*size), "jpeg")
    return {
        "image": np.array([[image]] * photos, dtype=object),
        "frame": np.array([size] * photos, np.int32),
        "options": np.stack([(options or FaceOptions()).tensor] * photos),
        "boxes": np.stack([boxes.astype(np.float32)] * photos),
        "scores": np.stack([np.float32(scores)] * photos),
        "landmarks": np.stack([landmarks.astype(np.float32)] * photos),
    }


def test_faces_come_back_in_photo_pixels_with_their_embeddings():
    given = request()
    item = SEARCH.take(given)
    assert isinstance(item, FoundFaces)
    rows = SEARCH.rows(item)
    assert rows.shape == (2, 112, 112, 3)
    embeddings = np.arange(12, dtype=np.float32).reshape(2, 6)
    answer = SEARCH.answer(item, embeddings)
    np.testing.assert_allclose(answer["boxes"], given["boxes"] * 2)
    np.testing.assert_allclose(answer["landmarks"], given["landmarks"] * 2)
    np.testing.assert_allclose(answer["scores"], given["scores"])
    np.testing.assert_array_equal(answer["embeddings"], embeddings[None])


def test_no_face_is_the_whole_answer_at_once():
    answer = SEARCH.take(request(scores=(0.3, 0.1)))
    assert {name: array.shape for name, array in answer.items()} == {
        "boxes": (1, 0, 4),
        "landmarks": (1, 0, 5, 2),
        "scores": (1, 0),
        "embeddings": (1, 0, 6),
    }
    assert {array.dtype for array in answer.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("scores", [(0.9, 0.8), (0.3, 0.1)], ids=["faces", "none"])
def test_pixels_of_clip_are_handed_on_as_they_came(scores):
    given = request(scores) | {"pixels": np.arange(4 * 4 * 3, dtype=np.uint8).reshape(1, 4, 4, 3)}
    item = SEARCH.take(given)
    came = given["pixels"].copy()
    given["pixels"][:] = 0  # Triton's memory is used anew once a request is taken
    answer = SEARCH.answer(item, np.zeros((2, 6), np.float32)) if isinstance(item, FoundFaces) else item
    np.testing.assert_array_equal(answer["pixels"], came)


def test_options_are_heard():
    assert len(SEARCH.take(request((0.9, 0.8, 0.5), options=FaceOptions(0.4))).faces) == 3
    assert len(SEARCH.take(request((0.9, 0.8, 0.5), options=FaceOptions(0.4, 1))).faces) == 1


def test_what_is_kept_does_not_live_in_the_requests_memory():
    given = request()
    item = SEARCH.take(given)
    for array in given.values():
        array[:] = 0 if array.dtype != object else b""
    assert item.faces.boxes.any()
    assert SEARCH.rows(item).any()


def test_several_photos_in_one_request_are_refused():
    with pytest.raises(InvalidInputError, match="holds 2 photos; send one"):
        SEARCH.take(request(photos=2))


@pytest.mark.parametrize(("name", "broken"), [("scores", np.zeros((1, 7), np.float32)), ("frame", np.int32([[0, 5]]))])
def test_tensors_that_do_not_belong_together_are_refused(name, broken):
    with pytest.raises(InvalidInputError, match="as many anchors each"):
        SEARCH.take({**request(), name: broken})
