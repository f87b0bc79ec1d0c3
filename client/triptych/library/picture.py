"""A photo's file -> what is sent of it, the hash it is known by, and when it was taken."""

import hashlib
import io
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from triptych.errors import InvalidInput, TriptychError
from triptych.library.errors import LibraryIncomplete
from triptych.library.files import File
from triptych.upright import upright

_NOT_SENT = frozenset({".heic", ".heif", ".hif", ".avif"})  # formats that the server does not read
_QUALITY = 95
_EXIF, _TAKEN, _CHANGED = 0x8769, 0x9003, 0x0132
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")
"""What is read of what strangers made. Pillow knows sixty more, one of which starts Ghostscript."""


@dataclass(frozen=True, slots=True)
class Picture:
    """`data`: the encoded file to send. `hash`: BLAKE2b of the original. `taken`: local time, YYYY-MM-DDTHH:MM:SS."""

    data: bytes = field(repr=False)
    hash: bytes
    taken: str


def read(file: File) -> Picture:
    """Read a file once. What the server cannot decode is decoded here and sent as JPEG, of the same size and upright.

    Raises InvalidInput for a file that cannot be read or decoded.
    """
    try:
        data = Path(file.path).read_bytes()
    except OSError as error:
        raise InvalidInput(f"it cannot be read: {error.strerror or error}") from None
    digest = hashlib.blake2b(data, digest_size=20).digest()
    taken = _taken(data, file)
    return Picture(_jpeg(data) if Path(file.path).suffix.lower() in _NOT_SENT else data, digest, taken)


def opened(data: bytes | Path) -> Image.Image:
    """An upright RGB picture of a file that may be HEIC. Raises InvalidInput."""
    try:
        with header(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
            return upright(image).convert("RGB")
    except TriptychError:
        raise
    except Exception as error:  # Pillow's plugins raise anything for broken files
        raise InvalidInput(f"it cannot be decoded: {error}") from None


def sendable(data: bytes) -> bytes:
    """An encoded picture in a format that the server reads: as it is, or as JPEG. Raises InvalidInput for a HEIC that cannot be decoded."""
    return _jpeg(data) if data[4:8] == b"ftyp" else data  # how HEIC and AVIF begin


def _jpeg(data: bytes) -> bytes:
    buffer = io.BytesIO()
    opened(data).save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    return buffer.getvalue()


def _taken(data: bytes, file: File) -> str:
    """When the camera says, otherwise when the file was last changed."""
    try:
        with header(io.BytesIO(data)) as image:
            exif = image.getexif()
            values = (exif.get_ifd(_EXIF).get(_TAKEN), exif.get(_CHANGED))
    except TriptychError:
        raise
    except Exception:  # the server says what is wrong with it
        values = (None, None)
    for value in values:
        try:
            return datetime.strptime(str(value).strip("\0 ")[:19], "%Y:%m:%d %H:%M:%S").isoformat()  # EXIF has no zone
        except ValueError:
            continue
    return datetime.fromtimestamp(file.mtime_ns / 1e9).isoformat(timespec="seconds")


def header(file: Path | BinaryIO) -> Image.Image:
    """A picture of one of FORMATS, not decoded yet. Raises LibraryIncomplete, and anything that Pillow's plugins do."""
    _with_heif()
    return Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN])


def _with_heif() -> None:
    """Let Pillow read HEIC, HEIF and AVIF. Raises LibraryIncomplete."""
    try:
        import pillow_heif
    except ModuleNotFoundError as error:
        raise LibraryIncomplete(error) from None
    Image.init()
    if "HEIF" not in Image.OPEN:
        pillow_heif.register_heif_opener()
