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
        if not any(real.is_relative_to(folder.resolve()) for folder in folders):
            raise NotInLibrary(f"the file of photo {photo.id} is a link out of the indexed folders")
        # A pipe would be waited for, and a link that was put there since would be followed.
        descriptor = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except (OSError, RuntimeError):
        raise NotInLibrary(f"the file of photo {photo.id} cannot be read; was it moved? Index its folder again") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotInLibrary(f"the file of photo {photo.id} is no file any more")
    with os.fdopen(descriptor, "rb") as file:
        yield file
