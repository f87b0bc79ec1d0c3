"""A face's crop by the textbook: least squares for the turn, scale and shift, then four neighbours for each pixel."""

import numpy as np
from numpy.typing import NDArray

SIDE = 112
# ArcFace's training put eye, eye, nose and both mouth corners here (x, y in pixels of the crop).
_PLACES = [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]


def aligned(picture: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    """uint8 [112,112,3] from a picture uint8 [H,W,3] and landmarks [5,2] in its pixels; black beyond its edge."""
    rows = [row for x, y in landmarks.astype(float) for row in ([x, -y, 1, 0], [y, x, 0, 1])]
    a, b, shift_x, shift_y = np.linalg.lstsq(np.array(rows), np.array(_PLACES).ravel(), rcond=None)[0]
    v, u = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    back = np.linalg.inv(np.array([[a, -b], [b, a]]))
    x, y = np.einsum("ij,jhw->ihw", back, np.stack([u - shift_x, v - shift_y]))
    height, width = picture.shape[:2]
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right_share, lower_share = (x - left)[..., None], (y - top)[..., None]

    def pixels(down: int, along: int) -> NDArray[np.float64]:
        return picture[(top + down).clip(0, height - 1), (left + along).clip(0, width - 1)].astype(float)

    upper = pixels(0, 0) * (1 - right_share) + pixels(0, 1) * right_share
    lower = pixels(1, 0) * (1 - right_share) + pixels(1, 1) * right_share
    inside = (x >= -0.5) & (y >= -0.5) & (x < width - 0.5) & (y < height - 0.5)  # a pixel's middle is where its number says
    mixed = (upper * (1 - lower_share) + lower * lower_share) * inside[..., None]
    crop: NDArray[np.uint8] = (mixed + 0.5).astype(np.uint8)
    return crop
