"""Five landmarks -> the 112 x 112 crop that face recognition was trained on, straight from the stored pixels."""

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Resampling, Transform

from triptych_server.vision.decode import Picture
from triptych_server.vision.letterbox import opaque
from triptych_server.vision.orientation import Orientation

CROP = 112
# Where ArcFace's training put eye, eye, nose, mouth corner, mouth corner (x, y in pixels of the crop; insightface, utils/face_align.py).
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


def similarities(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Landmarks [N,5,2] -> [N,3,3]: turn, scale and shift that bring photo pixels to the crop with the least squared error.

    The same as Umeyama's estimate: a plane turned and scaled is one complex factor. Landmarks that are all in one point have none:
    the matrix is not finite.
    """
    target = _complex(TEMPLATE)
    target_centre = target.mean()
    with np.errstate(all="ignore"):
        points = _complex(landmarks.astype(np.float64))
        centre = points.mean(axis=-1, keepdims=True)
        spread = points - centre
        factor = (spread.conj() * (target - target_centre)).sum(axis=-1) / (abs(spread) ** 2).sum(axis=-1)
        shift = target_centre - factor * centre[..., 0]
    matrices = np.zeros((len(landmarks), 3, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = factor.real
    matrices[:, 1, 0], matrices[:, 0, 1] = factor.imag, -factor.imag
    matrices[:, 0, 2], matrices[:, 1, 2], matrices[:, 2, 2] = shift.real, shift.imag, 1
    return matrices


def crop_scale(landmarks: NDArray[np.float32]) -> float:
    """How many pixels of the crop one pixel of the photo becomes, for the smallest of the faces [N,5,2]; N is at least 1."""
    return float(np.linalg.norm(similarities(landmarks)[:, :2, 0], axis=1).max())


def aligned_crops(picture: Picture, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Crops uint8 [N,112,112,3] RGB for landmarks [N,5,2] in pixels of the upright photo, black beyond its edge.

    Bilinear without antialiasing, as insightface does. `picture` may be decoded reduced and is turned by the same transform.
    Raises ValueError for landmarks without a similarity.
    """
    matrices = similarities(landmarks)
    if not np.isfinite(matrices).all():
        raise ValueError("landmarks that are not finite or all in one point cannot be aligned")
    image = opaque(picture.image)
    # Pillow wants, for every pixel of the crop, its place among the stored pixels; edges are at whole numbers, centres between.
    stored = _scaling(picture.scale) @ _to_stored(picture.orientation, picture.width, picture.height)
    places = stored @ _shift(0.5) @ np.linalg.inv(matrices) @ _shift(-0.5)
    crops = np.empty((len(landmarks), CROP, CROP, 3), np.uint8)
    for crop, place in zip(crops, places, strict=True):
        crop[:] = image.transform((CROP, CROP), Transform.AFFINE, tuple(place[:2].ravel()), Resampling.BILINEAR).convert("RGB")
    return crops


def _complex(points: NDArray[np.float64]) -> NDArray[np.complex128]:
    return np.asarray(points[..., 0] + 1j * points[..., 1])


def _scaling(factor: float) -> NDArray[np.float64]:
    return np.diag([factor, factor, 1.0])


def _shift(by: float) -> NDArray[np.float64]:
    return np.array([[1, 0, by], [0, 1, by], [0, 0, 1.0]])


def _to_stored(turn: Orientation, width: int, height: int) -> NDArray[np.float64]:
    """[3,3]: points of the upright picture -> points of the picture as stored, which is `width` x `height`."""
    matrix = np.eye(3)[[1, 0, 2]] if turn.swap else np.eye(3)
    mirror_x, mirror_y = -1.0 if turn.mirror_x else 1.0, -1.0 if turn.mirror_y else 1.0
    mirror = np.array([[mirror_x, 0, width * turn.mirror_x], [0, mirror_y, height * turn.mirror_y], [0, 0, 1]])
    return np.asarray(mirror @ matrix)
