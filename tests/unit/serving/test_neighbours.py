"""Who feeds a model waits while enough waits there, a batch for what is being decoded for it: never for the dead, and never for ever."""

import errno
import os
import threading
import time
import types

import pytest

from triptych_server.serving import load, neighbours
from triptych_server.serving.load import FOLDER_VARIABLE, Load, Loads, left_unanswered, loads_folder
from triptych_server.serving.neighbours import Fed, Sharers

GONE = 2**22 + 1  # above every process id of Linux


def never():
    return False


def waiting(others, condition=never):
    """A thread that waits, and what it sets when it goes on."""
    went_on = threading.Event()
    thread = threading.Thread(target=lambda: (others.wait(condition), went_on.set()), daemon=True)
    thread.start()
    return went_on


def test_it_waits_until_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "LONGEST_WAIT_SECONDS", 600.0)
    network, fed = Load("network", tmp_path), Fed(("network", "other"), tmp_path)
    network.show(full=True, owes=True)
    went_on = waiting(fed)
    assert not went_on.wait(0.05)
    network.show(full=False, owes=False)
    assert went_on.wait(30)
    network.close()
    assert list(tmp_path.iterdir()) == []


def test_one_instance_with_room_is_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "LONGEST_WAIT_SECONDS", 600.0)
    Load("network", tmp_path).show(full=True, owes=True)
    (tmp_path / f"network.{os.getppid()}").write_bytes(b"\0\0")
    assert waiting(Fed(("network",), tmp_path)).wait(30)


def test_nobody_waits_for_a_killed_model_or_one_of_another_name(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "LONGEST_WAIT_SECONDS", 600.0)
    (tmp_path / f"network.{GONE}").write_bytes(b"\1\1")
    (tmp_path / f"network.large.{os.getpid()}").write_bytes(b"\1\1")
    assert waiting(Fed(("network",), tmp_path)).wait(30)


def test_the_wait_ends_whatever_the_other_shows(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "LONGEST_WAIT_SECONDS", 0.05)
    Load("network", tmp_path).show(full=True, owes=True)
    assert waiting(Fed(("network",), tmp_path)).wait(30)


def test_who_is_being_closed_waits_for_nobody(tmp_path, monkeypatch):
    """Its workers wait one after the other: with as many as there are cores that would be long."""
    monkeypatch.setattr(neighbours, "LONGEST_WAIT_SECONDS", 600.0)
    Load("network", tmp_path).show(full=True, owes=True)
    closed = threading.Event()
    went_on = waiting(Fed(("network",), tmp_path), closed.is_set)
    assert not went_on.wait(0.05)
    closed.set()
    assert went_on.wait(30)


def test_without_a_folder_nobody_waits():
    assert loads_folder({}) is None
    alone = Load("network", None)
    alone.show(full=True, owes=True)
    alone.close()
    Fed(("network",), None).wait(never)
    assert str(loads_folder({FOLDER_VARIABLE: "/run/there"})) == "/run/there"


def test_where_nothing_can_be_written_nothing_is_shown(tmp_path):
    alone = Load("network", tmp_path / "not there")
    alone.show(full=True, owes=True)
    alone.close()


def test_what_the_dead_owed_is_told_once(tmp_path):
    (tmp_path / f"network.{GONE}").write_bytes(b"\0\1")
    (tmp_path / f"idle.{GONE}").write_bytes(b"\1\0")
    Load("alive", tmp_path).show(full=False, owes=True)
    assert [left_unanswered(model, tmp_path) for model in ("network", "network", "idle", "alive", "unheard of")] == [True, *[False] * 4]
    assert [file.stem for file in tmp_path.iterdir()] == ["alive"]


def test_after_a_look_that_fails_what_was_seen_last_counts_on(tmp_path, monkeypatch):
    """No file descriptor is free."""
    Load("network", tmp_path).show(full=True, owes=True)
    loads = Loads(("network",), tmp_path)
    assert loads.any_full()

    def look(self):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(Loads, "_look", look)
    monkeypatch.setattr(load, "LOOK_SECONDS", -1.0)
    assert loads.any_full()
    assert not Loads(("network",), tmp_path).any_full()


def test_a_process_that_ends_in_order_while_it_is_looked_at_owes_nothing(tmp_path, monkeypatch):
    file = tmp_path / f"network.{GONE}"
    file.write_bytes(b"\0\1")
    monkeypatch.setattr(load, "_is_alive", lambda file: bool(file.unlink()))
    assert not left_unanswered("network", tmp_path)


def test_a_batch_waits_for_what_is_being_decoded_on_its_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "LONGEST_GATHERING_SECONDS", 600.0)
    decoder, sharers = Load("decoder", tmp_path), Sharers(("decoder",), tmp_path)
    assert sharers
    decoder.show(full=False, owes=True)
    went_on = waiting(sharers)
    assert not went_on.wait(0.05)
    decoder.show(full=False, owes=False)
    assert went_on.wait(30)


def test_a_full_batch_waits_for_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "LONGEST_GATHERING_SECONDS", 600.0)
    Load("decoder", tmp_path).show(full=False, owes=True)
    full = threading.Event()
    went_on = waiting(Sharers(("decoder",), tmp_path), full.is_set)
    assert not went_on.wait(0.05)
    full.set()
    assert went_on.wait(30)


def test_idle_decoders_are_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "time", types.SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: pytest.fail("it waited")))
    Load("decoder", tmp_path).show(full=True, owes=False)
    Sharers(("decoder",), tmp_path).wait(never)
    nobody = Sharers((), tmp_path)
    nobody.wait(never)
    assert not nobody


def test_a_decoder_that_never_ends_delays_a_batch_and_stops_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "LONGEST_GATHERING_SECONDS", 0.05)
    Load("decoder", tmp_path).show(full=False, owes=True)
    assert waiting(Sharers(("decoder",), tmp_path)).wait(30)
