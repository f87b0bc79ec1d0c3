"""Faces and analyses as values: compared without surprises, and safe to hand around."""

import dataclasses

import numpy as np
import pytest

from triptych import Analysis, Face


def face(**other):
    values = {"box": (1, 2, 31, 42), "landmarks": np.arange(10).reshape(5, 2), "score": 0.5, "embedding": np.arange(4) / 4}
    return Face(**{**values, **other})


def test_equal_faces_are_equal_and_hash_alike():
    assert face() == face()
    assert len({face(), face()}) == 1
    assert face(score=np.float32(0.5), box=np.float32([1, 2, 31, 42])) == face()
    assert face(embedding=[-0.0, 0.25, 0.5, 0.75]) == face()
    assert hash(face(embedding=[-0.0, 0.25, 0.5, 0.75])) == hash(face())


@pytest.mark.parametrize(
    "other",
    [{"box": (1, 2, 31, 43)}, {"landmarks": np.ones((5, 2))}, {"score": 0.25}, {"embedding": np.ones(4)}, {"embedding": np.arange(5) / 4}],
)
def test_a_difference_anywhere_is_a_difference(other):
    assert face(**other) != face()


def test_a_face_is_no_other_thing():
    assert face() != (1, 2, 31, 42)
    assert face() not in [None, 3, "face"]


def test_nothing_of_a_face_can_be_changed_from_outside():
    landmarks, embedding = np.zeros((5, 2), np.float32), np.zeros(4, np.float32)
    made = face(landmarks=landmarks, embedding=embedding)
    landmarks[:], embedding[:] = 7, 7
    assert made == face(landmarks=np.zeros((5, 2)), embedding=np.zeros(4))
    for array in (made.landmarks, made.embedding):
        assert array.dtype == np.float32
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.score = 1.0


def test_a_face_knows_its_size_and_is_printed_short():
    made = face(embedding=np.zeros(512))
    assert (made.width, made.height) == (30, 40)
    assert repr(made) == "Face(box=(1.0, 2.0, 31.0, 42.0), score=0.5)"


@pytest.mark.parametrize("wrong", [{"landmarks": np.zeros((2, 5))}, {"embedding": np.zeros((1, 4))}, {"box": (1, 2, 3)}])
def test_a_face_of_another_form_is_refused(wrong):
    with pytest.raises(ValueError):
        face(**wrong)


def test_analyses_compare_by_value():
    one = face()

    def made(embedding=(1, 2), faces=(one,), size=(640, 480)):
        return Analysis(None if embedding is None else np.float32(embedding), faces, size)

    assert made() == made(faces=[face()])
    assert hash(made()) == hash(made())
    assert made(embedding=None) == made(embedding=None)
    for other in (made(embedding=None), made(embedding=(1, 3)), made(faces=()), made(faces=None), made(size=(480, 640)), "analysis"):
        assert made() != other
    assert made(faces=()) != made(faces=None)  # none found, and none looked for
    with pytest.raises(ValueError, match="read-only"):
        made().embedding[0] = 3
