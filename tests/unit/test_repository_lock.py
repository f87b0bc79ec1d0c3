"""The repository's lock: another process is waited for, and said to be; what cannot be locked is told from what is full."""

import errno
import threading

import pytest
from filelock import FileLock

from triptych_server.errors import DiskSpaceError, RepositoryBusyError, RepositoryReadOnlyError
from triptych_server.repository import Repository
from triptych_server.repository_lock import FOLDER, locked


@pytest.fixture
def repository(tmp_path):
    return Repository.locate().copy_to(tmp_path / "repository")


def hold(repository):
    """The lock as another process has it."""
    (repository.root / FOLDER).mkdir()
    lock = FileLock(repository.root / FOLDER / "change.lock", thread_local=False)
    lock.acquire()
    return lock


def test_another_process_is_waited_for_and_that_is_said(repository, caplog):
    lock = hold(repository)
    release = threading.Timer(0.3, lock.release)
    release.start()
    with locked(repository, 30) as folder:
        assert folder == repository.root / FOLDER
    release.join()
    assert f"another process is putting models in place in {repository.root}; waiting up to 30 s for it" in caplog.text


def test_it_is_not_waited_for_without_end(repository):
    lock = hold(repository)
    with pytest.raises(RepositoryBusyError, match="for over 0.1 s; try again when it is done"), locked(repository, 0.1):
        pytest.fail("two hold it")
    lock.release()


FAILURES = {errno.ENOSPC: DiskSpaceError, errno.EROFS: RepositoryReadOnlyError, errno.EACCES: RepositoryReadOnlyError}


@pytest.mark.parametrize(("number", "error"), FAILURES.items(), ids=map(errno.errorcode.get, FAILURES))
def test_what_cannot_be_written(repository, monkeypatch, number, error):
    def fail(*_, **__):
        raise OSError(number, "cannot")

    monkeypatch.setattr(FileLock, "acquire", fail)
    with pytest.raises(error), locked(repository, 1):
        pytest.fail("it was locked")
