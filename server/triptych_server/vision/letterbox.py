"""The face detector's view of a photo: the whole of it, upright, in the top left corner of a square; and back to photo pixels."""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image, Resampling

from triptych_server.vision.decode import Picture
from triptych_server.vision.orientation import Box

SIDE = 640
_REDUCING_GAP = 2.0  # big pictures that cannot be decoded reduced: average whole pixels first


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How an upright photo of `width` x `height` pixels lies in a square of `side`: its longer side fills it, small photos are enlarged.

    The shorter side is cut to a whole number, as insightface and Immich do; the rest of the square is black.
    """

    width: int
    height: int
    side: int = SIDE

    @property
    def filled(self) -> tuple[int, int]:
        """Width and height of the photo inside the square, at least 1."""
        longer = max(self.width, self.height)
        return max(self.side * self.width // longer, 1), max(self.side * self.height // longer, 1)

    def to_photo(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points [..., 2] (x, y) in the square -> pixels of the upright photo. Boxes are two points: shape them [N,2,2]."""
        width, height = self.filled
        return np.asarray(points * [self.width / width, self.height / height], np.float32)

    def to_square(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points [..., 2] in pixels of the upright photo -> points in the square."""
        width, height = self.filled
        return np.asarray(points * [width / self.width, height / self.height], np.float32)


def letterbox_min_side(width: int, height: int, side: int = SIDE) -> int:
    """How many pixels the shorter side of a photo must keep in decoding, so that nothing has to be enlarged again."""
    return ceil(side * min(width, height) / max(width, height))


def letterbox(picture: Picture, side: int = SIDE) -> NDArray[np.uint8]:
    """uint8 [side,side,3] RGB of a decoded picture; alpha is ignored. The small result is turned upright, not the photo."""
    place = Letterbox(*picture.orientation.upright_size(picture.width, picture.height), side)
    small = picture.orientation.upright(_resize(picture, *_swapped_back(picture, place.filled)))
    square = np.zeros((side, side, 3), np.uint8)
    square[: small.height, : small.width] = small
    return square


def opaque(image: Image) -> Image:
    """The picture as L or RGB: without alpha (Pillow's filters would darken what is transparent) and without CMYK, whose 0 is white."""
    return image if image.mode in {"L", "RGB"} else image.convert("L" if image.mode == "LA" else "RGB")


def _resize(picture: Picture, width: int, height: int) -> Image:
    """At `width` x `height`, as stored. Measured against a detector fed by OpenCV: see docs/decisions.md."""
    image, scale = opaque(picture.image), picture.scale
    part = Box(0, 0, min(picture.width * scale, image.width), min(picture.height * scale, image.height))
    enlarged = width > part.right or height > part.bottom
    kind = Resampling.BILINEAR if enlarged else Resampling.HAMMING
    if (width, height) != image.size or part != (0, 0, width, height):
        image = image.resize((width, height), kind, part, _REDUCING_GAP)
    return image.convert("RGB")


def _swapped_back(picture: Picture, size: tuple[int, int]) -> tuple[int, int]:
    """An upright size as it is stored; swapping the axes is its own inverse."""
    return picture.orientation.upright_size(*size)
