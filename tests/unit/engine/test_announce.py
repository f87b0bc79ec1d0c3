"""An engine on a repository that it cannot write: without a note, and never on models that are half replaced. No Triton is started."""

import contextlib
import errno

import pytest

from triptych_server.engine import Engine, EngineOptions, announce
from triptych_server.errors import DiskSpaceError, EngineError, RepositoryReadOnlyError
from triptych_server.models.swap import JOURNAL
from triptych_server.repository import Repository
from triptych_server.repository_lock import FOLDER


@pytest.fixture
def repository(tmp_path):
    return Repository.locate().copy_to(tmp_path / "repository")


@pytest.mark.parametrize("error", [RepositoryReadOnlyError("read-only"), DiskSpaceError("full"), PermissionError(errno.EACCES, "no")])
@pytest.mark.parametrize("half_replaced", [False, True])
def test_a_repository_that_cannot_be_written(repository, monkeypatch, caplog, error, half_replaced):
    @contextlib.contextmanager
    def cannot(_):
        raise error
        yield

    monkeypatch.setattr(announce, "locked", cannot)
    folder = repository.root / FOLDER
    folder.mkdir()
    if half_replaced:
        (folder / JOURNAL).write_text("{}")
    starting = Engine(EngineOptions(repository, http_port=0, grpc_port=0, metrics_port=0))
    with pytest.raises(EngineError, match="are half replaced" if half_replaced else "no weights yet"):
        starting.start()
    assert ("`triptych models use` will not find this server: " in caplog.text) is not half_replaced
    assert not list(folder.glob("engine-*"))
