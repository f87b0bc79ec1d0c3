"""A photo of the library -> its file, opened only where it lies in an indexed folder, links followed."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from triptych.library import NotInLibrary, Photo


@contextmanager
def opened(photo: Photo, folders: Sequence[Path]) -> Iterator[BinaryIO]:
    """The file to read from. Raises NotInLibrary when it is gone, is no file, or lies outside of `folders`, as a link's target may."""
    try:
        real = photo.path.resolve(strict=True)
        root = next((root for root in map(Path.resolve, folders) if real.is_relative_to(root)), None)
        if root is None:
            raise NotInLibrary(f"the file of photo {photo.id} is a link out of the indexed folders")
        descriptor = _open(root, real.relative_to(root))
    except (OSError, RuntimeError):
        raise NotInLibrary(f"the file of photo {photo.id} cannot be read; was it moved? Index its folder again") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotInLibrary(f"the file of photo {photo.id} is no file any more")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def _open(root: Path, inside: Path) -> int:
    """Step by step, so that no link is followed that was put there since `inside` was looked at, neither as a folder nor as the file."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    place = os.open(root, flags | os.O_DIRECTORY)
    try:
        for folder in inside.parts[:-1]:
            above = place
            place = os.open(folder, flags | os.O_DIRECTORY, dir_fd=above)
            os.close(above)
        return os.open(inside.name, flags | os.O_NONBLOCK, dir_fd=place)  # a pipe would be waited for
    finally:
        os.close(place)
