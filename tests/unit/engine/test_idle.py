"""When a model is idle, and what may be unloaded then; the clock is ours."""

from triptych_server.engine.idle import IdleWatch, unloadable

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
