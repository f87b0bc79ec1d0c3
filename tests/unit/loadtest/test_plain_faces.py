"""The baseline for faces is no straw man: it finds and embeds what Triptych's own functions find with the same networks."""

import asyncio
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from demo.faces.networks import WEIGHTS, DemoFaces, crop
from loadtest.agreement import FACES, _agree
from loadtest.baselines.plain_faces import face_finder, suppressed
from loadtest.baselines.plain_service import create_app
from loadtest.connections import CONNECTIONS, Answer
from loadtest.crowds import COLUMNS, crowd
from tests.unit.loadtest.test_plain_service import serving


@pytest.fixture(scope="module")
def picture():
    """Three people."""
    return crowd(3, seed=1)


def test_it_finds_and_embeds_as_our_own_code_does(picture):
    photo = Image.open(BytesIO(picture)).convert("RGB")
    networks, found = DemoFaces(), face_finder(WEIGHTS)(picture)
    ours = networks.detect(photo, min_score=0.7)
    assert len(found) == len(ours.boxes) >= 3
    for face, box, landmarks in zip(found, ours.boxes, ours.landmarks, strict=True):
        assert face["box"] == pytest.approx(box, abs=3)  # the letterbox is shrunk by another filter
        assert np.array(face["landmarks"]) == pytest.approx(landmarks, abs=3)
    theirs = np.array([face["embedding"] for face in found])
    assert ((theirs * networks.embed(crop(photo, ours.landmarks))).sum(axis=1) > 0.9).all()


def test_a_photo_without_faces_is_answered_by_an_empty_list():
    out = BytesIO()
    Image.new("RGB", (200, 100), "white").save(out, "JPEG")
    assert face_finder(WEIGHTS)(out.getvalue()) == []


def test_of_boxes_that_overlap_the_surest_stays():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [20, 0, 30, 10], [5, 0, 15, 10]], float)
    assert suppressed(boxes) == [0, 2, 3]  # 0.68 of the second is shared, a third of the last


def test_faces_go_over_http_as_they_are(picture):
    async def run(url):
        async with CONNECTIONS["plain faces"](url, [picture]) as send:
            return await send()

    finder = face_finder(WEIGHTS)
    with serving(create_app({"faces": finder}, threads=1)) as url:
        answer = asyncio.run(run(url))
    faces = finder(picture)
    assert answer.boxes == pytest.approx(np.array([face["box"] for face in faces]))
    assert np.stack(answer.embeddings) == pytest.approx(np.array([face["embedding"] for face in faces]))


def test_a_picture_shows_as_many_people_as_it_says():
    for faces in COLUMNS:
        image = Image.open(BytesIO(crowd(faces, seed=2)))
        assert (image.size, image.format) == ((1440, 1080), "JPEG")
        assert crowd(faces, seed=2) == crowd(faces, seed=2) != crowd(faces, seed=3)


def answer(*boxes, turn=0.0):
    """A face for each box; its embedding is a direction of its own, turned by an angle."""
    units = [np.eye(4)[at] * np.cos(turn) + np.eye(4)[at + 1] * np.sin(turn) for at in range(len(boxes))]
    return Answer.of(embeddings=units, boxes=boxes)


def test_answers_agree_when_the_same_faces_have_the_same_embeddings_in_any_order():
    one, other = answer((0, 0, 100, 100), (300, 0, 400, 100)), answer((0, 0, 100, 101), (301, 0, 400, 100))
    assert _agree(one, other, FACES) == pytest.approx(1)
    swapped = Answer(other.embeddings[::-1], other.boxes[::-1])
    assert _agree(one, swapped, FACES) == pytest.approx(1)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (answer((0, 0, 100, 100)), "found 2 and 1 faces"),
        (answer((0, 0, 100, 100), (340, 0, 440, 100)), "40 pixels apart"),
        (answer((0, 0, 100, 100), (300, 0, 400, 100), turn=0.5), "cosine of 0.87"),
    ],
)
def test_answers_that_differ_stop_the_benchmark(other, what):
    with pytest.raises(RuntimeError, match=what):
        _agree(answer((0, 0, 100, 100), (300, 0, 400, 100)), other, FACES)
