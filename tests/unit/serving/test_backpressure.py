"""Who feeds a model waits while enough waits there, never for one that has gone, and never for ever."""

import os
import threading

from triptych_server.serving import backpressure
from triptych_server.serving.backpressure import FOLDER_VARIABLE, Fed, Fullness, backpressure_folder

GONE = 2**22 + 1  # above every process id of Linux


def waiting(fed):
    """A thread that waits, and what it sets when it goes on."""
    went_on = threading.Event()
    thread = threading.Thread(target=lambda: (fed.wait(), went_on.set()), daemon=True)
    thread.start()
    return went_on


def test_it_waits_until_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr(backpressure, "LONGEST_WAIT_SECONDS", 600.0)
    network, fed = Fullness("network", tmp_path), Fed(("network", "other"), tmp_path)
    network.show(full=True)
    went_on = waiting(fed)
    assert not went_on.wait(0.05)
    network.show(full=False)
    assert went_on.wait(30)
    network.close()
    assert list(tmp_path.iterdir()) == []


def test_one_instance_with_room_is_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(backpressure, "LONGEST_WAIT_SECONDS", 600.0)
    Fullness("network", tmp_path).show(full=True)
    (tmp_path / f"network.{os.getppid()}").write_bytes(b"\0")
    assert waiting(Fed(("network",), tmp_path)).wait(30)


def test_nobody_waits_for_a_killed_model_or_one_of_another_name(tmp_path, monkeypatch):
    monkeypatch.setattr(backpressure, "LONGEST_WAIT_SECONDS", 600.0)
    (tmp_path / f"network.{GONE}").write_bytes(b"\1")
    (tmp_path / f"network.large.{os.getpid()}").write_bytes(b"\1")
    assert waiting(Fed(("network",), tmp_path)).wait(30)


def test_the_wait_ends_whatever_the_other_shows(tmp_path, monkeypatch):
    monkeypatch.setattr(backpressure, "LONGEST_WAIT_SECONDS", 0.05)
    Fullness("network", tmp_path).show(full=True)
    assert waiting(Fed(("network",), tmp_path)).wait(30)


def test_without_a_folder_nobody_waits():
    assert backpressure_folder({}) is None
    alone = Fullness("network", None)
    alone.show(full=True)
    alone.close()
    Fed(("network",), None).wait()
    assert str(backpressure_folder({FOLDER_VARIABLE: "/run/there"})) == "/run/there"
