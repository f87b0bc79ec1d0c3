"""A disk without room, told as such: how much is free and how much is needed."""

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from triptych_server.errors import DiskSpaceError


@contextlib.contextmanager
def with_room(folder: Path, needed: int = 0) -> Iterator[None]:
    """For a block that writes about `needed` bytes to the disk of `folder`: DiskSpaceError before it begins where they do not fit, and
    when it finds the disk full. It must leave everything as it was then."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskSpaceError(f"{folder} needs about {_mb(needed)} more, and {_mb(free)} are free there; nothing was changed: make room")
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        wanted = f", and it needs about {_mb(needed)}" if needed else ""
        raise DiskSpaceError(
            f"the disk of {folder} is full ({error.strerror}): {_mb(free)} were free before{wanted}; nothing was changed: make room"
        ) from error


def is_full(error: BaseException) -> bool:
    """Whether there is no room on the disk, or the user may use no more of it."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def size_of(*paths: Path) -> int:
    """Bytes of those of the paths that are files."""
    return sum(path.stat().st_size for path in paths if path.is_file())


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
