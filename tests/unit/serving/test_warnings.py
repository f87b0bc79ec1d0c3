"""What Pillow warns of is written by whoever sends the picture: it must stay neither in memory nor in the log."""

import struct
import warnings

import PIL.TiffImagePlugin

from tests.support.bad_images import with_segment
from tests.support.drawn import encode, picture
from triptych_server.serving.warnings import drop_warnings
from triptych_server.vision.clip_transform import ClipTransform


def kept() -> int:
    return len(getattr(PIL.TiffImagePlugin, "__warningregistry__", {}))


def noisy(tags: range) -> bytes:
    """A good JPEG whose EXIF makes Pillow warn of each of `tags`, in words of its own."""
    entries = b"".join(struct.pack("<HHII", tag, 3, 600_000, 60_000) for tag in tags)
    return with_segment(encode(picture(), "jpeg"), 0xE1, b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4))


def test_warnings_are_kept_by_python_and_not_by_a_server() -> None:
    transform = ClipTransform(32)
    with warnings.catch_warnings(record=True) as logged:
        warnings.simplefilter("default")
        transform(noisy(range(1000, 1100)))
        assert kept() >= 100 and len(logged) >= 100  # or this test tests nothing
        drop_warnings()
        kept_before, logged_before = kept(), len(logged)
        transform(noisy(range(2000, 2500)))
        assert kept() <= kept_before and len(logged) == logged_before
