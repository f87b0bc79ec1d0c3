"""Encoded bytes -> 8-bit pixels within the limits, as small as the caller can use; every broken file is one InvalidImageError."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from triptych_server.errors import ImageTooLargeError, InvalidImageError, InvalidInputError
from triptych_server.vision.formats import WEBP, Format, format_of, webp_size
from triptych_server.vision.jpeg import decode_reduced
from triptych_server.vision.orientation import Orientation, orientation_of

_EIGHT_BIT_MODES = {"L", "LA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}

MinSide = Callable[[int, int], int]
"""Width and height as stored, which only the header tells -> how many pixels the shorter side must keep."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may cost: encoded bytes, and pixels as the header tells them."""

    max_bytes: int = 64 << 20
    max_pixels: int = 100_000_000


@dataclass(frozen=True, slots=True)
class Picture:
    """Decoded pixels as they are stored, not yet upright.

    `image` is in an 8-bit mode that Pillow can resize (L, LA, RGB, RGBA, CMYK, ...). `width` and `height` are those of the full
    picture as stored; `scale` is how many pixels of `image` one of its pixels became (1.0, or 1/8 to 1/2 for a reduced JPEG).
    """

    image: Image.Image
    width: int
    height: int
    scale: float
    orientation: Orientation


def decode_picture(data: bytes | memoryview, limits: Limits, min_side: int | MinSide | None = None) -> Picture:
    """Decode a JPEG, PNG, WebP, GIF (first frame), BMP or TIFF.

    With `min_side` a JPEG may be decoded at a fraction of its size whose shorter side still has at least that many pixels; None
    decodes at full size. Raises InvalidImageError (empty, unknown format, truncated, damaged, zero-sized) and ImageTooLargeError;
    nothing else. Heavy work is done without the GIL; safe to call from many threads.
    """
    size_in_bytes = memoryview(data).nbytes
    if not size_in_bytes:
        raise InvalidImageError("The image is empty (0 bytes); send the bytes of a JPEG, PNG, WebP, GIF, BMP or TIFF file.")
    if size_in_bytes > limits.max_bytes:
        raise ImageTooLargeError(
            f"The image has {size_in_bytes:,} bytes, more than the limit of {limits.max_bytes:,}; send a smaller file."
        )
    data = bytes(data)
    kind = format_of(data)
    with _as_input_errors(kind):
        if kind is WEBP and (size := webp_size(data)):
            _check_pixels(size, limits)
        image = kind.open_header(BytesIO(data))
        _check_pixels(image.size, limits)
        return _load(image, data, min_side)


def _check_pixels(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise ImageTooLargeError(
            f"The image is {width} x {height} = {width * height:,} pixels, more than the limit of {limits.max_pixels:,};"
            " send a smaller one."
        )


def _load(image: ImageFile, data: bytes, min_side: int | MinSide | None) -> Picture:
    if min_side is not None and isinstance(image, JpegImageFile):
        width, height = image.size
        reduced, scale = decode_reduced(image, data, min_side if isinstance(min_side, int) else min_side(width, height))
        return Picture(_eight_bit(reduced), width, height, scale, orientation_of(image))
    image.load()  # before size and EXIF are read: a TIFF is turned upright here, a PNG may carry its EXIF at the end
    return Picture(_eight_bit(image), *image.size, 1.0, orientation_of(image))


def _eight_bit(image: Image.Image) -> Image.Image:
    """Bring a loaded picture into a mode that resizes smoothly; palettes become colours, 16-bit greys their high byte."""
    if image.mode in _EIGHT_BIT_MODES:
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))  # as Pillow reduces 16-bit colours
    match image.mode:
        case "1":
            return image.convert("L")
        case "P":
            return image.convert("RGBA" if "transparency" in image.info else "RGB")
        case "PA" | "RGBa":
            return image.convert("RGBA")
        case "La":
            return image.convert("LA")
    raise InvalidImageError(
        f"The image's pixels are of the kind {image.mode!r} (32-bit, floating point or Lab); send 8 or 16 bits per channel, grey or colour."
    )


@contextmanager
def _as_input_errors(kind: Format) -> Iterator[None]:
    """Pillow's plugins raise OSError, SyntaxError, ValueError, struct.error and more for broken files: all are the sender's."""
    try:
        yield
    except InvalidInputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageTooLargeError(f"A frame of the {kind.name} image is larger than any picture should be.") from None
    except MemoryError:
        raise ImageTooLargeError(
            f"The {kind.name} image needs more memory than there is, or its header is damaged; send a smaller one."
        ) from None
    except Exception as error:
        reason = "truncated: the file ends too early" if "truncated" in str(error) else "damaged, truncated or zero-sized"
        raise InvalidImageError(f"The {kind.name} image cannot be decoded, it is {reason}; send the whole file.") from None
