"""The first bytes of a file -> which of the six formats it is, opened (header only) by Pillow's plugin for exactly that format."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from triptych_server.errors import InvalidImageError


@dataclass(frozen=True, slots=True)
class Format:
    """A picture format: how its files begin and who reads its header."""

    name: str
    begins: tuple[bytes, ...]
    open_header: Callable[[BytesIO], ImageFile]


# The plugin classes are called directly, not through Image.open: that would try forty formats, EPS and PDF among them, and would
# apply process-wide pixel limits in place of ours.
JPEG = Format("JPEG", (b"\xff\xd8\xff",), JpegImageFile)
WEBP = Format("WebP", (b"RIFF",), WebPImageFile)
FORMATS = (
    JPEG,
    Format("PNG", (b"\x89PNG\r\n\x1a\n",), PngImageFile),
    WEBP,
    Format("GIF", (b"GIF87a", b"GIF89a"), GifImageFile),
    Format("BMP", (b"BM",), BmpImageFile),
    Format("TIFF", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TiffImageFile),
)


def format_of(data: bytes) -> Format:
    """The format that `data` begins like. Raises InvalidImageError for anything else."""
    for kind in FORMATS:
        if data.startswith(kind.begins) and (kind is not WEBP or data[8:12] == b"WEBP"):
            return kind
    raise InvalidImageError(f"This is no picture of a format we read: it begins with {data[:8]!r}; send JPEG, PNG, WebP, GIF, BMP or TIFF.")


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height from a WebP header, None where it has none: Pillow cannot tell them before it allocates the canvas."""
    chunk, bits = data[12:16], int.from_bytes(data[21:25], "little")
    match chunk:
        case b"VP8X":
            return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
        case b"VP8L":
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None
