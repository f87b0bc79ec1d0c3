"""Raw anchors to faces: the threshold, suppression against a plain reference, order, limits, and anchors that are no numbers."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from triptych_server.vision.detections import MAX_CANDIDATES, MAX_FACES, NMS_IOU, Detections, find_faces, suppress

FACE = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)


def detections(boxes, scores):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    landmarks = boxes[:, None, :2] + FACE * (boxes[:, None, 2:] - boxes[:, None, :2])
    return Detections(boxes, np.array(scores, np.float32), landmarks.astype(np.float32))


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def naive(boxes, scores, min_score, threshold):
    """Every surer face looked at by itself, in plain numbers."""
    kept = []
    for i in sorted((i for i in range(len(scores)) if scores[i] >= min_score), key=lambda i: (-scores[i], i)):
        if all(iou(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


@st.composite
def crowds(draw):
    count = draw(st.integers(0, 40))
    numbers = arrays(np.int64, (count, 4), elements=st.integers(0, 60))
    corners = draw(numbers).astype(float)
    corners[:, 2:] = corners[:, :2] + draw(arrays(np.int64, (count, 2), elements=st.integers(1, 40)))
    return corners, draw(arrays(np.float32, count, elements=st.floats(0, 1, width=16)))


@given(crowds(), st.floats(0, 1, width=16), st.sampled_from([0.2, 0.4, 0.5]))
def test_the_faces_are_those_of_the_plain_reference(crowd, min_score, threshold):
    boxes, scores = crowd
    expected = naive(boxes, scores, min_score, threshold)
    found = find_faces(detections(boxes, scores), min_score, nms_iou=threshold)
    np.testing.assert_array_equal(found.boxes, boxes[expected].astype(np.float32))
    np.testing.assert_array_equal(found.scores, scores[expected])
    assert found.landmarks.shape == (len(expected), 5, 2)


@given(crowds(), st.integers(1, 10))
def test_max_faces_keeps_the_surest(crowd, most):
    anchors = detections(*crowd)
    whole, cut = find_faces(anchors, 0.0), find_faces(anchors, 0.0, most)
    np.testing.assert_array_equal(cut.scores, whole.scores[:most])
    np.testing.assert_array_equal(cut.boxes, whole.boxes[:most])


def test_landmarks_stay_with_their_box():
    found = find_faces(detections([[0, 0, 10, 10], [50, 50, 90, 90]], [0.8, 0.9]), 0.5)
    np.testing.assert_array_equal(found.scores, np.float32([0.9, 0.8]))
    np.testing.assert_allclose(found.landmarks[0], 50 + 40 * FACE)
    np.testing.assert_allclose(found.landmarks[1], 10 * FACE)


def test_the_threshold_itself_is_in():
    found = find_faces(detections([[0, 0, 9, 9], [20, 20, 29, 29]], [0.7, np.nextafter(np.float32(0.7), np.float32(0))]), 0.7)
    assert len(found) == 1


def test_no_face_is_an_answer_with_the_right_shapes():
    for anchors in (detections(np.zeros((0, 4)), []), detections([[0, 0, 9, 9]], [0.1])):
        found = find_faces(anchors, 0.7)
        assert (found.boxes.shape, found.scores.shape, found.landmarks.shape) == ((0, 4), (0,), (0, 5, 2))
        assert {array.dtype for array in (found.boxes, found.scores, found.landmarks)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["boxes", "scores", "landmarks"])
def test_anchors_that_are_no_numbers_are_no_faces_and_hide_none(part, value):
    good, bad = detections([[0, 0, 10, 10]], [0.8]), detections([[0, 0, 10, 10]], [0.9])
    array = getattr(bad, part)
    array.reshape(-1)[-1] = value
    both = Detections(*(np.concatenate([getattr(bad, name), getattr(good, name)]) for name in ("boxes", "scores", "landmarks")))
    found = find_faces(both, 0.5)
    np.testing.assert_array_equal(found.boxes, good.boxes)
    np.testing.assert_array_equal(found.scores, good.scores)


@pytest.mark.parametrize("part", ["boxes", "landmarks"])
def test_numbers_that_become_infinite_in_a_larger_photo_are_no_faces(part):
    bad = detections([[0, 0, 10, 10]], [0.9])
    getattr(bad, part).reshape(-1)[-1] = 3e38
    assert len(find_faces(bad, 0.5)) == 0


def test_boxes_without_area_and_landmarks_in_one_point_are_no_faces():
    anchors = detections([[5, 5, 5, 9], [9, 9, 5, 5], [0, 0, 10, 10], [20, 20, 30, 30]], [0.9, 0.9, 0.9, 0.8])
    anchors.landmarks[2] = 7.0
    np.testing.assert_array_equal(find_faces(anchors, 0.5).boxes, [[20, 20, 30, 30]])


def test_sixty_faces_in_one_picture_are_all_found():
    grid = [[x * 80, y * 100, x * 80 + 60, y * 100 + 80] for x in range(8) for y in range(8)][:60]
    shifted = [[x1 + 3, y1 + 2, x2 + 3, y2 + 2] for x1, y1, x2, y2 in grid]
    found = find_faces(detections(grid + shifted, [0.9] * 60 + [0.85] * 60), 0.7)
    assert sorted(map(tuple, found.boxes.tolist())) == sorted(map(tuple, grid))


def test_a_threshold_of_zero_stays_bounded():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 600, (16_800, 2))
    anchors = detections(np.concatenate([corners, corners + rng.uniform(1, 9, (16_800, 2))], axis=1), rng.uniform(0, 1, 16_800))
    start = time.process_time()
    found = find_faces(anchors, 0.0)
    assert time.process_time() - start < 2
    assert len(found) == MAX_FACES
    surest = np.sort(anchors.scores)[::-1][:MAX_CANDIDATES]
    assert found.scores.min() >= surest[-1]


def test_the_answer_does_not_hang_on_the_unit():
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [3, 0, 13, 10]], np.float32)
    for factor in (0.01, 1, 100):
        np.testing.assert_array_equal(suppress(boxes * np.float32(factor), NMS_IOU, 9), suppress(boxes, NMS_IOU, 9))


def test_the_result_is_a_copy():
    anchors = detections([[0, 0, 10, 10]], [0.8])
    found = find_faces(anchors, 0.5)
    anchors.boxes[:] = 0
    np.testing.assert_array_equal(found.boxes, [[0, 0, 10, 10]])
