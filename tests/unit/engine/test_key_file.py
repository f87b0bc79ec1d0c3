"""The control key's file: for its user alone, and found by the client's commands, which do not import the server."""

import pytest

from triptych.cli.control_key import noted_key
from triptych_server.engine.key_file import key_file, write_key


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def test_nobody_else_can_read_it():
    (file,) = write_key([8001], "a-key")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_link_that_waits_in_its_place_is_not_followed(state):
    target = state / "target"
    target.write_text("untouched")
    key_file(8001).parent.mkdir(parents=True)
    key_file(8001).symlink_to(target)
    write_key([8001], "a-key")
    assert target.read_text() == "untouched"
    assert key_file(8001).read_text() == "a-key"


def test_the_client_looks_where_the_engine_writes():
    write_key([8001, 8000], "a-key")
    for url in ("grpc://127.0.0.1:8001", "http://localhost:8000", "grpc://[::1]:8001"):
        assert noted_key(url) == "a-key"
    for url in ("grpc://127.0.0.1:9001", "grpc://photos.example:8001", "grpc://192.0.2.1:8001"):
        assert noted_key(url) is None


def test_a_state_folder_that_cannot_be_written_is_told(state, caplog):
    (state / "state").write_text("a file where the folder should be")
    assert write_key([8001], "a-key") == []
    assert "will not find the control key" in caplog.text
    assert "a-key" not in caplog.text
