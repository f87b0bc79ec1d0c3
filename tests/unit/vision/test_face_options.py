"""Options of a face request: defaults, the ends of the ranges, and what is refused with the range."""

import numpy as np
import pytest

from triptych_server.errors import InvalidOptionError, Status
from triptych_server.vision.detections import MAX_FACES
from triptych_server.vision.face_options import FaceOptions


def inputs(min_score=None, max_faces=None):
    given = {}
    if min_score is not None:
        given["min_score"] = np.array([min_score], np.float32).reshape(1, -1)
    if max_faces is not None:
        given["max_faces"] = np.array([max_faces], np.int32).reshape(1, -1)
    return given


def test_what_is_not_given_has_its_default():
    assert FaceOptions.from_inputs({}) == FaceOptions(0.7, 0)
    assert FaceOptions.from_inputs(inputs(max_faces=3)) == FaceOptions(0.7, 3)
    assert FaceOptions.from_inputs(inputs(min_score=0.5)) == FaceOptions(0.5, 0)


@pytest.mark.parametrize("score", [0.0, 1.0])
@pytest.mark.parametrize("count", [0, 1, MAX_FACES])
def test_the_ends_of_the_ranges_are_in_and_survive_the_way_between_models(score, count):
    options = FaceOptions.from_inputs(inputs(score, count))
    assert FaceOptions.from_tensor(options.tensor) == options == FaceOptions(score, count)


@pytest.mark.parametrize("score", [np.nan, -0.01, 1.01, np.inf, -np.inf])
def test_a_score_out_of_range_is_refused_with_the_range(score):
    with pytest.raises(InvalidOptionError, match="min_score is .*; expected a number from 0 to 1") as error:
        FaceOptions.from_inputs(inputs(min_score=score))
    assert error.value.status is Status.INVALID_ARG


@pytest.mark.parametrize("count", [-1, MAX_FACES + 1, -(2**31), 2**31 - 1])
def test_a_count_out_of_range_is_refused_with_the_range(count):
    with pytest.raises(InvalidOptionError, match=rf"max_faces is {count}; expected a whole number from 0 \(all\) to {MAX_FACES}"):
        FaceOptions.from_inputs(inputs(max_faces=count))


def test_a_tensor_of_none_or_several_numbers_is_refused():
    for given in ({"min_score": np.zeros((1, 0), np.float32)}, {"max_faces": np.zeros((1, 2), np.int32)}):
        with pytest.raises(InvalidOptionError, match="expected one, or leave it out"):
            FaceOptions.from_inputs(given)


@pytest.mark.parametrize("tensor", [[np.nan, 0], [0.7, np.nan], [0.7, np.inf], [2, 0], [0.7, -1]])
def test_a_broken_tensor_between_models_is_refused(tensor):
    with pytest.raises(InvalidOptionError):
        FaceOptions.from_tensor(np.float32(tensor))


def test_each_row_of_a_batch_has_its_own():
    given = {"min_score": np.float32([[0.2], [0.9]])}
    assert [FaceOptions.from_inputs(given, row).min_score for row in (0, 1)] == pytest.approx([0.2, 0.9])
