"""Notes of engines: whom a change waits for, who can be told of it, and what is left of those that were killed."""

import errno
import os
import threading
from pathlib import Path

import pytest

from triptych_server.configs.overrides import Overrides
from triptych_server.engine import running
from triptych_server.engine.running import EngineNote, new_note, own_network, running_engines
from triptych_server.repository import Repository
from triptych_server.repository_lock import locked


@pytest.fixture
def repository(tmp_path):
    return Repository.locate().copy_to(tmp_path / "repository")


@pytest.fixture
def note(repository):
    with locked(repository, 1) as folder:
        note = new_note(folder)
    yield note
    note.remove()


def serve(note):
    note.serving("http://127.0.0.1:1", {}, "cpu", Overrides(device_ids=(1,)))


def test_an_engine_of_this_network_is_reachable_whatever_the_machine_is_called(repository, note, monkeypatch):
    serve(note)
    monkeypatch.setattr("socket.gethostname", lambda: "renamed")
    found = running_engines(repository)
    assert [engine.file for engine in found.reachable] == [note.engine.file]
    assert found.elsewhere == found.unreadable == ()


def test_an_engine_of_another_network_is_not_even_where_the_name_is_the_same(repository, note, monkeypatch):
    serve(note)
    monkeypatch.setattr(running, "own_network", lambda: "another boot:4026531840")
    found = running_engines(repository)
    assert found.reachable == ()
    assert [engine.overrides.device_ids for engine in found.elsewhere] == [(1,)]


def test_a_network_is_told_by_boot_and_namespace():
    boot, _, namespace = own_network().partition(":")
    assert len(boot) == 36
    assert namespace == str(Path("/proc/self/ns/net").stat().st_ino)


def test_an_engine_that_starts_in_another_container_is_waited_for(repository, note, monkeypatch, caplog):
    monkeypatch.setattr(running, "own_network", lambda: "another")
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    later = threading.Timer(0.3, serve, [note])
    later.start()
    found = running_engines(repository, wait=10)
    later.join()
    assert [engine.serving for engine in found.elsewhere] == [True]
    assert f"a server is starting on this repository on {note.engine.machine}; waiting for it" in caplog.text


def test_the_note_of_another_user_is_left_alone(repository, note, monkeypatch):
    opened = os.open

    def refused(file, *more):
        if str(file).endswith(".json"):
            raise PermissionError(errno.EACCES, "not yours")
        return opened(file, *more)

    with monkeypatch.context() as patched:
        patched.setattr(running.os, "open", refused)
        assert running_engines(repository).unreadable == (note.engine.file,)
    assert note.engine.file.exists()


def test_a_note_that_cannot_be_written_leaves_neither_files_nor_descriptors(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "no room")

    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(running.os, "pwrite", full)
    with pytest.raises(OSError, match="no room"):
        EngineNote(tmp_path / "engine-0.json")
    assert not list(tmp_path.iterdir())
    assert len(list(Path("/proc/self/fd").iterdir())) == before
