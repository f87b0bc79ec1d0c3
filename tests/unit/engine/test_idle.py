"""When a model is idle, and what may be unloaded then; the clock is ours. And the door by which one is had back."""

import contextlib
import errno
import os

import pytest

from tests.support.serving import empty_repository
from triptych_server.engine import door as door_module
from triptych_server.engine import unloading
from triptych_server.engine.door import Door
from triptych_server.engine.idle import IdleWatch, unloadable
from triptych_server.engine.options import EngineOptions
from triptych_server.engine.unloading import Unloader
from triptych_server.engine.wanted import Wanted
from triptych_server.errors import OverloadedError
from triptych_server.serving.idle_models import IdleModels

NEEDED = {
    "pixels": set(),
    "network": set(),
    "search": {"pixels", "network"},
    "photo": {"photo_pixels", "network"},
    "photo_pixels": set(),
    "faces": {"crops"},
    "crops": {"recogniser"},
    "recogniser": set(),
}
ORDER = ["network", "photo_pixels", "pixels", "recogniser", "crops", "photo", "search", "faces"]


def test_a_model_is_idle_when_its_counters_stood_still_for_the_whole_time():
    watch = IdleWatch(10)
    assert watch.idle({"a": 1, "b": 1}, 0) == set()
    assert watch.idle({"a": 1, "b": 1}, 9.9) == set()
    assert watch.idle({"a": 2, "b": 1}, 10) == {"b"}
    assert watch.idle({"a": 2, "b": 1}, 19.9) == {"b"}
    assert watch.idle({"a": 2, "b": 2}, 20) == {"a"}


def test_one_that_was_loaded_again_counts_as_asked_now():
    watch = IdleWatch(10)
    watch.idle({"a": 0}, 0)
    assert watch.idle({}, 5) == set()
    assert watch.idle({"a": 0}, 12) == set()
    assert watch.idle({"a": 0}, 22) == {"a"}


def test_nothing_in_use_is_unloaded():
    assert unloadable(set(NEEDED), set(), NEEDED, ORDER) == []


def test_who_calls_others_goes_first():
    assert unloadable(set(NEEDED), set(NEEDED), NEEDED, ORDER) == ORDER[::-1]


def test_what_one_in_use_needs_stays():
    idle = set(NEEDED) - {"search", "pixels"}  # the network itself answered from a cache, say
    assert unloadable(set(NEEDED), idle, NEEDED, ORDER) == ["faces", "photo", "crops", "recogniser", "photo_pixels"]


def test_what_is_needed_through_others_stays():
    """Pictures without faces never reach the recogniser."""
    assert "recogniser" not in unloadable(set(NEEDED), set(NEEDED) - {"faces"}, NEEDED, ORDER)


def test_a_part_that_is_asked_by_itself_stays_alone():
    assert "network" not in unloadable(set(NEEDED), set(NEEDED) - {"network"}, NEEDED, ORDER)
    assert "search" in unloadable(set(NEEDED), set(NEEDED) - {"network"}, NEEDED, ORDER)


def test_only_what_is_loaded_and_of_the_repository():
    loaded = {"search", "network", "pixels", "search__next", "on_demand"}
    assert unloadable(loaded, loaded, NEEDED, ORDER) == ["search", "pixels", "network"]
    assert unloadable(loaded, loaded - {"search__next"}, NEEDED, ORDER) == ["search", "pixels", "network"]


@pytest.fixture
def opened(tmp_path):
    """A door for these questions, until the test ends."""
    with contextlib.ExitStack() as stack:

        def open_for(load):
            door = Door(tmp_path / "door", load)
            door.open()
            stack.callback(door.close)
            return IdleModels(tmp_path, tmp_path / "door"), door

        yield open_for


def test_a_model_is_had_back_or_its_caller_is_told_why(opened):
    idle, _ = opened({"net": "", "broken": "the log says why"}.__getitem__)
    idle.load("net")
    with pytest.raises(OverloadedError, match="could not be loaded again: the log says why"):
        idle.load("broken")
    with pytest.raises(OverloadedError, match="hung up"):  # the load raised what nobody thought of: it is not ready
        idle.load("removed")
    idle.load("net")


def test_the_door_stays_open_when_no_descriptor_is_free(opened, monkeypatch):
    monkeypatch.setattr(door_module, "AGAIN_SECONDS", 0.01)
    idle, door = opened(lambda model: "")
    listener, failures = door._listener, iter(range(3))

    class Failing:
        def accept(self):
            if next(failures, None) is not None:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return listener.accept()

    idle.load("net")  # this one is accepted by the listener itself
    monkeypatch.setattr(door, "_listener", Failing())
    for _ in range(2):
        idle.load("net")
    assert next(failures, None) is None
    monkeypatch.undo()


def test_a_model_that_somebody_else_has_loaded_again_is_watched_again(tmp_path, monkeypatch):
    """`triptych models use` loads all that it changes, idle or not."""
    repository = empty_repository(tmp_path / "repository")
    wanted = Wanted(repository)
    wanted.start({"net", "other"})
    wanted.rest("net", "other")
    unloader = Unloader(EngineOptions(repository, model_ttl=60), None, wanted, None, IdleModels(tmp_path, tmp_path / "door"))
    monkeypatch.setattr(unloading, "_uses", lambda control: {"net": 0})
    assert unloader._next() == ""
    assert wanted.names() == {"net"}
