"""A photo's file -> a small upright JPEG of it, or of one face: what the page shows. Originals and EXIF stay here."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from triptych.errors import InvalidInput, TriptychError
from triptych.library.picture import header
from triptych.library.records import Box
from triptych.upright import upright

VERSION = 1
"""Goes up when copies look different, so that kept ones are made anew."""
_AROUND = 1.7  # side of a cut face as a multiple of its box
_BELOW = (255, 255, 255)  # what lies behind transparent pixels


@dataclass(frozen=True, slots=True)
class Rendition:
    """`side`: pixels of the longer side at most, and of both for a face, cut out square around `box` (pixels of the upright
    photo)."""

    side: int
    quality: int
    box: Box | None = None

    def key(self) -> str:
        return f"{VERSION} {self.side} {self.quality} {self.box}"

    def make(self, file: BinaryIO, max_pixels: int) -> bytes:
        """A JPEG. Raises InvalidInput for what cannot be decoded, or has more pixels than it may have."""
        with _looked_at(file, max_pixels) as image:
            return self._encoded(image)

    def _encoded(self, image: Image.Image) -> bytes:
        profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None  # wide gamuts keep their colours
        full = max(image.size)
        least = self.side if self.box is None else round(self.side * min(image.size) / self._reach())
        image.draft("RGB", (least, least))  # a JPEG is decoded at a fraction of its size, which is never below what is wanted
        small = _rgb(upright(image))
        if self.box is None:
            small.thumbnail((self.side, self.side), Image.Resampling.LANCZOS)
        else:
            small = self._face(small, max(small.size) / full)
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=self.quality, progressive=True, icc_profile=profile)
        return buffer.getvalue()

    def _reach(self) -> float:
        assert self.box is not None
        x1, y1, x2, y2 = self.box
        return max(max(x2 - x1, y2 - y1) * _AROUND, 1.0)

    def _face(self, image: Image.Image, scale: float) -> Image.Image:
        """A square around the face, moved into the photo where it would stick out."""
        assert self.box is not None
        side = min(self._reach() * scale, *image.size)
        x, y = ((self.box[at] + self.box[at + 2]) / 2 * scale for at in (0, 1))
        left = min(max(x - side / 2, 0), image.width - side)
        top = min(max(y - side / 2, 0), image.height - side)
        return image.resize((self.side, self.side), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))


TILE = Rendition(512, 80)
"""For the grid, on screens of two pixels a point."""
SCREEN = Rendition(2048, 85)
"""One photo on the whole page."""


def face_rendition(box: Box) -> Rendition:
    """One face."""
    return Rendition(224, 82, box)


def check_pixels(data: bytes, max_pixels: int) -> None:
    """Look at a picture's header. Raises InvalidInput as `make` does."""
    with _looked_at(io.BytesIO(data), max_pixels):
        pass


@contextmanager
def _looked_at(file: BinaryIO, max_pixels: int) -> Iterator[Image.Image]:
    """The picture, not decoded yet; what fails inside the block is its fault, too."""
    try:
        with header(file) as image:
            if image.width * image.height > max_pixels:
                raise InvalidInput(f"it has {image.width} x {image.height} pixels, more than the limit of {max_pixels:,}")
            yield image
    except TriptychError:
        raise
    except Exception as error:  # Pillow's plugins raise anything for broken files
        raise InvalidInput(f"it cannot be decoded: {error}") from None


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        seen = image.convert("RGBA")
        below = Image.new("RGBA", seen.size, (*_BELOW, 255))
        return Image.alpha_composite(below, seen).convert("RGB")
    return image.convert("RGB")
