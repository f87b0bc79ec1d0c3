"""One at a time: who puts models in place, or starts to serve them, holds the repository's lock."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from triptych_server.errors import RepositoryBusyError, RepositoryReadOnlyError
from triptych_server.repository import Repository

FOLDER = ".triptych"
"""In the repository's root, beside the three folders: the lock, the notes of running engines, models on trial."""


@contextlib.contextmanager
def locked(repository: Repository, seconds: float) -> Iterator[Path]:
    """Hold the repository for the time of the block; gives the folder for what must not be lost. RepositoryBusyError when another
    process holds it for longer than `seconds`, RepositoryReadOnlyError when it cannot be written."""
    folder = repository.root / FOLDER
    lock = FileLock(folder / "change.lock")
    try:
        folder.mkdir(exist_ok=True)
        lock.acquire(timeout=seconds)
    except Timeout:
        raise RepositoryBusyError(f"another model is being put in place in {repository.root}; try again when it is done") from None
    except OSError as error:
        raise RepositoryReadOnlyError(
            f"{repository.root} cannot be changed ({error.strerror}); name one of your own with --repository"
        ) from None
    try:
        yield folder
    finally:
        lock.release()
