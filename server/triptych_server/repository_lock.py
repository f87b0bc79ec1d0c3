"""One at a time: who puts models in place, or starts to serve them, holds the repository's lock."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from triptych_server.disk import with_room
from triptych_server.errors import RepositoryBusyError, RepositoryReadOnlyError
from triptych_server.repository import Repository

FOLDER = ".triptych"
"""In the repository's root, beside the three folders: the lock, the notes of running engines, models on trial."""
LOCK = "change.lock"
PATIENCE = 3600.0
"""Seconds that another change may take: it imports and loads for minutes, and waits half an hour for an engine that is starting."""
_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(repository: Repository, seconds: float = PATIENCE) -> Iterator[Path]:
    """Hold the repository for the time of the block; gives the folder for what must not be lost. RepositoryBusyError when another
    process holds it for longer than `seconds`, DiskSpaceError when there is no room, RepositoryReadOnlyError when it cannot be written
    for another reason."""
    folder = repository.root / FOLDER
    lock = FileLock(folder / LOCK)
    try:
        with with_room(repository.root):
            folder.mkdir(exist_ok=True)
            _acquire(lock, repository.root, seconds)
    except Timeout:
        raise RepositoryBusyError(
            f"another process has been putting models in place in {repository.root} for over {seconds:g} s; try again when it is done"
        ) from None
    except OSError as error:
        raise RepositoryReadOnlyError(
            f"{repository.root} cannot be changed ({error.strerror}); name one of your own with --repository"
        ) from None
    try:
        yield folder
    finally:
        lock.release()


def _acquire(lock: FileLock, root: Path, seconds: float) -> None:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not seconds:
            raise
        _logger.warning("another process is putting models in place in %s; waiting up to %g s for it", root, seconds)
        lock.acquire(timeout=seconds, poll_interval=0.2)
