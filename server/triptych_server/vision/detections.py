"""A detector's raw answer -> the faces in it: threshold, sort, suppress what overlaps a surer one, keep the best."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NMS_IOU = 0.4  # insightface's
MAX_FACES = 1024  # what "all" means at most: a low threshold must not turn every anchor into a recognition run
MAX_CANDIDATES = 4096  # the surest anchors that enter suppression, whose cost grows with faces x candidates
_FARTHEST = 1e6  # pixels of the detector's square: no face lies there, and photo pixels beyond it may be more than float32 holds


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """N faces, the surest first: boxes FP32 [N,4] (x1, y1, x2, y2), scores FP32 [N], landmarks FP32 [N,5,2] (x, y), in one unit."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> "Detections":
        """These rows, in this order."""
        return Detections(self.boxes[rows], self.scores[rows], self.landmarks[rows])


def find_faces(anchors: Detections, min_score: float, max_faces: int = 0, nms_iou: float = NMS_IOU) -> Detections:
    """The faces among a detector's anchors (boxes [A,4], scores [A], landmarks [A,5,2], in any order); a copy.

    Faces have at least `min_score`; at most `max_faces` are kept (0: MAX_FACES). Anchors with a number that is not finite or absurdly
    large, an empty box or landmarks all in one point are no faces.
    """
    sure = anchors[np.flatnonzero(anchors.scores >= min_score)]  # NaN compares false; most anchors end here
    sound = sure[_sound(sure)]
    ranked = sound[np.argsort(-sound.scores, kind="stable")[:MAX_CANDIDATES]]
    return ranked[suppress(ranked.boxes, nms_iou, min(max_faces or MAX_FACES, MAX_FACES))]


def suppress(boxes: NDArray[np.float32], iou: float, at_most: int) -> NDArray[np.intp]:
    """Greedy non-maximum suppression over boxes [N,4], the best first: rows of those to keep, in order, `at_most` of them.

    A box goes when its IoU with a kept one is over `iou`. Areas are plain (insightface adds a pixel to each side, which makes
    the answer depend on the resolution).
    """
    boxes = boxes.astype(np.float64)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = np.arange(len(boxes))
    kept: list[int] = []
    while left.size and len(kept) < at_most:
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[_overlap(boxes[best], boxes[left], areas[best], areas[left]) <= iou]
    return np.array(kept, dtype=np.intp)


def _overlap(box: NDArray[np.float64], boxes: NDArray[np.float64], area: float, areas: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of one box with [N,4] others, none of them empty."""
    shared = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    inside = shared.clip(min=0).prod(axis=1)
    return np.asarray(inside / (area + areas - inside))


def _sound(faces: Detections) -> NDArray[np.bool_]:
    boxes, landmarks = faces.boxes, faces.landmarks
    near = (abs(boxes) <= _FARTHEST).all(axis=1) & (abs(landmarks) <= _FARTHEST).all(axis=(1, 2))  # NaN compares false
    extent = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    return np.asarray(near & extent & np.isfinite(faces.scores) & (landmarks != landmarks[:, :1]).any(axis=(1, 2)))
