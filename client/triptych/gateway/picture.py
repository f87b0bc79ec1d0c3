"""The header of an encoded picture -> its size as sent, and the way back from upright coordinates to those of the sent pixels."""

import asyncio
import contextlib
import io
from dataclasses import dataclass
from typing import Self

from PIL import Image

from triptych.errors import InvalidInput
from triptych.face import Box
from triptych.gateway.png import without_pixels

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_ORIENTATION = 0x0112
_JPEG = b"\xff\xd8\xff"
_SOON = 8 << 10  # bytes: of a made-up header they take 3 ms, of a good one 0.05, and the way to a thread and back 0.25
_TURNS = {  # EXIF's value: whether x and y change places, x is mirrored, y is mirrored, to get stored pixels from upright ones
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


@dataclass(frozen=True, slots=True)
class Header:
    """Width and height in pixels as the picture is stored, and its EXIF orientation, 1 to 8."""

    width: int
    height: int
    orientation: int = 1

    @classmethod
    def read(cls, data: bytes, max_pixels: int) -> Self:
        """Nothing is decoded; a made-up header of 64 MiB takes half a minute all the same. InvalidInput for what is no picture, or has more
        pixels than it may have."""
        if not data:
            raise InvalidInput("the image is empty (0 bytes)")
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise _too_many(f"{width} x {height} = {width * height:,}", max_pixels)
                orientation = _orientation(image, data)
        except Image.DecompressionBombError:
            raise _too_many("too many", max_pixels) from None
        except InvalidInput:
            raise
        except Exception:  # Pillow's plugins raise anything for broken files
            raise InvalidInput(f"the image is no picture of a format we read: {', '.join(FORMATS)}; or its header is damaged") from None
        if not (width and height):
            raise InvalidInput(f"the image has zero width or height: it is {width} x {height}")
        return cls(width, height, orientation)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the upright picture lies in the stored one."""
        swap, mirror_x, mirror_y = _TURNS.get(self.orientation, (False, False, False))
        if swap:
            x, y = y, x
        return (self.width - x if mirror_x else x, self.height - y if mirror_y else y)

    def box(self, box: Box) -> Box:
        """Where a box of the upright picture lies in the stored one: x1, y1, x2, y2."""
        if self.orientation == 1:
            return box
        (x1, y1), (x2, y2) = self.point(box[0], box[1]), self.point(box[2], box[3])
        return (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))


async def header_of(data: bytes, max_pixels: int) -> Header:
    """`Header.read`; in a thread, so that nobody waits for it, unless a JPEG tells all in its first bytes, as a photo server's do."""
    if data.startswith(_JPEG):
        with contextlib.suppress(InvalidInput):  # the whole file's error is the one to tell
            return Header.read(data[:_SOON], max_pixels)
    return await asyncio.to_thread(Header.read, data, max_pixels)


def _orientation(image: Image.Image, data: bytes) -> int:
    if image.format == "TIFF":  # turned by Pillow itself
        return 1
    try:
        value = int(_exif(image, data).get(_ORIENTATION, 1))
    except Exception:  # metadata rejects no picture
        return 1
    return value if value in _TURNS else 1


def _exif(image: Image.Image, data: bytes) -> Image.Exif:
    if image.format != "PNG":
        return image.getexif()
    with Image.open(io.BytesIO(without_pixels(data)), formats=("PNG",)) as small:
        return Image.Image.getexif(small)  # PNG's own would decode, to look behind the pixels


def _too_many(pixels: str, limit: int) -> InvalidInput:
    return InvalidInput(f"the image has {pixels} pixels, more than the limit of {limit:,}; send a smaller one")
