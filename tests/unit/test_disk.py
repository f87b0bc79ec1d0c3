"""A disk without room is told with figures; other failures stay what they are."""

import errno
from types import SimpleNamespace

import pytest

from triptych_server import disk
from triptych_server.disk import size_of, with_room
from triptych_server.errors import DiskSpaceError


@pytest.fixture(autouse=True)
def almost_full(monkeypatch):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: SimpleNamespace(free=3_000_000))


def test_what_does_not_fit_is_not_begun(tmp_path):
    with pytest.raises(DiskSpaceError, match="needs about 350 MB more, and 3 MB are free there"), with_room(tmp_path, 350_000_000):
        pytest.fail("it was begun")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up(tmp_path, number):
    with (
        pytest.raises(DiskSpaceError, match=r"is full \(.*\): 3 MB were free before, and it needs about 2 MB"),
        with_room(tmp_path, 2_000_000),
    ):
        raise OSError(number, "no room")


def test_another_failure(tmp_path):
    with pytest.raises(PermissionError), with_room(tmp_path):
        raise PermissionError(errno.EACCES, "not yours")


def test_the_size_of_files(tmp_path):
    (tmp_path / "a").write_bytes(b"123")
    (tmp_path / "b").mkdir()
    assert size_of(*tmp_path.iterdir()) == 3
