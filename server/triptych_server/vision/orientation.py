"""EXIF orientation: read from an opened picture; upright coordinates -> stored ones, so that only the small result need be turned."""

from dataclasses import dataclass
from typing import NamedTuple

from PIL.Image import Image, Transpose

_TAG = 0x0112  # Exif.Image.Orientation


class Box(NamedTuple):
    """A rectangle in pixels, edges between pixels, fractions allowed."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Orientation:
    """How stored pixels become upright: mirror along the stored x and y axes, then swap the axes; `turn` does all of it."""

    swap: bool
    mirror_x: bool
    mirror_y: bool
    turn: Transpose | None

    def upright_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the upright picture that is stored as `width` x `height`."""
        return (height, width) if self.swap else (width, height)

    def to_stored(self, box: Box, width: int, height: int) -> Box:
        """Where `box`, given in the upright picture, lies in the stored picture of `width` x `height`."""
        left, top, right, bottom = (box.top, box.left, box.bottom, box.right) if self.swap else box
        if self.mirror_x:
            left, right = width - right, width - left
        if self.mirror_y:
            top, bottom = height - bottom, height - top
        return Box(left, top, right, bottom)

    def upright(self, image: Image) -> Image:
        """The picture turned upright."""
        return image if self.turn is None else image.transpose(self.turn)


UPRIGHT = Orientation(swap=False, mirror_x=False, mirror_y=False, turn=None)
_BY_EXIF_VALUE = {  # the eight values of the EXIF standard; any other means upright
    2: Orientation(swap=False, mirror_x=True, mirror_y=False, turn=Transpose.FLIP_LEFT_RIGHT),
    3: Orientation(swap=False, mirror_x=True, mirror_y=True, turn=Transpose.ROTATE_180),
    4: Orientation(swap=False, mirror_x=False, mirror_y=True, turn=Transpose.FLIP_TOP_BOTTOM),
    5: Orientation(swap=True, mirror_x=False, mirror_y=False, turn=Transpose.TRANSPOSE),
    6: Orientation(swap=True, mirror_x=False, mirror_y=True, turn=Transpose.ROTATE_270),
    7: Orientation(swap=True, mirror_x=True, mirror_y=True, turn=Transpose.TRANSVERSE),
    8: Orientation(swap=True, mirror_x=True, mirror_y=False, turn=Transpose.ROTATE_90),
}


def orientation_of(image: Image) -> Orientation:
    """The orientation that the picture's EXIF (or XMP) tells; upright where it tells none or is broken: metadata rejects no picture."""
    try:
        return _BY_EXIF_VALUE.get(int(image.getexif().get(_TAG, 1)), UPRIGHT)
    except Exception:  # Pillow's EXIF reader lets struct, syntax, value and other errors of damaged blocks through
        return UPRIGHT
