"""How many batches a runtime is given at once."""

import threading

import pytest

from triptych_server.serving.places import SHORT_SECONDS, Places

LONG, SHORT = 10 * SHORT_SECONDS, SHORT_SECONDS / 2


def free_places(places, most=9):
    """How many can be taken before one would have to wait."""
    held, waiting = [], threading.Event()

    def take():
        with places.one():
            held.append(None)
            waiting.wait(10)

    threads = [threading.Thread(target=take, daemon=True) for _ in range(most)]
    for thread in threads:
        thread.start()
        thread.join(0.01)
    found = len(held)
    waiting.set()
    for thread in threads:
        thread.join(10)
    return found


def run(places, seconds):
    with places.one() as place:
        place.start()
        place.free(seconds)


@pytest.mark.parametrize(("concurrency", "every", "expected"), [(1, False, 1), (2, False, 1), (3, False, 2), (3, True, 3)])
def test_one_run_less_than_the_runtime_takes_unless_it_gathers_them_itself(concurrency, every, expected):
    assert free_places(Places(concurrency, every=every)) == expected


def test_short_runs_get_one_more_that_waits_inside_the_runtime_and_long_ones_lose_it_again():
    places = Places(2)
    run(places, SHORT)
    assert free_places(places) == 2
    run(places, LONG)
    assert free_places(places) == 1


def test_a_run_that_waited_for_another_is_not_taken_for_a_long_one():
    places = Places(2)
    run(places, SHORT)
    with places.one() as first, places.one() as second:
        first.start()
        second.start()
        second.free(1.5 * SHORT_SECONDS)  # half of it in turn
        first.free(SHORT)
    assert free_places(places) == 2


def test_a_place_is_free_once_computed_and_only_once():
    places = Places(2)
    with places.one() as place:
        place.start()
        place.free(LONG)
        assert free_places(places) == 1
        place.free(LONG)
    assert free_places(places) == 1


def test_a_run_that_fails_gives_its_place_back():
    places = Places(1)
    with pytest.raises(ValueError, match="broken"), places.one() as place:
        place.start()
        raise ValueError("broken")
    assert free_places(places) == 1
