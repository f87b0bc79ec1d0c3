"""The queue in front of every model: bounded, in two priorities, taken in batches of one kind, with an end to waiting."""

import threading

import pytest

from triptych_server.errors import ConfigError
from triptych_server.serving.request_queue import BULK, URGENT, RequestQueue, Waiting
from triptych_server.serving.serving_options import ServingOptions
from triptych_server.sessions.parameters import SERVING_KEYS, Parameters


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def waiting(name, rows=1, kind="a", priority=BULK, deadline=1e9):
    return Waiting(None, name, rows, kind, priority, 0.0, deadline)


def names(found):
    return [each.item for each in found]


def queue_of(*arrived, bound=8, clock=None):
    queue = RequestQueue(bound, clock or Clock())
    assert queue.put(arrived) == []
    return queue


def test_a_batch_is_all_that_fits_and_nothing_overtakes():
    queue = queue_of(waiting("one", 3), waiting("two", 4), waiting("three", 2), waiting("four", 1))
    assert names(queue.take(8).batch) == ["one", "two"]  # `four` would fit, and would overtake
    assert names(queue.take(8).batch) == ["three", "four"]
    assert len(queue) == 0


def test_a_request_that_is_larger_than_a_batch_goes_alone():
    queue = queue_of(waiting("large", 9), waiting("small"))
    assert names(queue.take(8).batch) == ["large"]
    assert names(queue.take(8).batch) == ["small"]


def test_only_one_kind_shares_a_batch():
    queue = queue_of(waiting("a"), waiting("b", kind="b"), waiting("c", kind="b"))
    assert names(queue.take(8).batch) == ["a"]
    assert names(queue.take(8).batch) == ["b", "c"]


def test_what_is_urgent_goes_first_and_bulk_work_fills_its_batch():
    queue = queue_of(waiting("bulk"), waiting("more bulk"), waiting("urgent", priority=URGENT))
    assert names(queue.take(2).batch) == ["urgent", "bulk"]


def test_no_more_wait_than_may_and_bulk_work_refuses_nothing_urgent():
    queue = queue_of(waiting("a"), waiting("b"), bound=2)
    refused = queue.put([waiting("c"), waiting("u", priority=URGENT), waiting("d")])
    assert names(refused) == ["c", "d"]
    assert len(queue) == 3


def test_who_has_waited_too_long_is_told_apart():
    clock = Clock()
    queue = queue_of(waiting("late", deadline=101), waiting("patient", deadline=200), waiting("late too", deadline=102), clock=clock)
    clock.now = 150
    taken = queue.take(8)
    assert (names(taken.batch), names(taken.expired)) == (["patient"], ["late", "late too"])


def test_take_waits_for_a_request_and_close_gives_what_is_left():
    queue, seen = RequestQueue(8), []

    def work():
        while (taken := queue.take(1)) is not None:
            seen.extend(names(taken.batch))

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    queue.put([waiting("a"), waiting("b"), waiting("c")])
    queue.close()
    worker.join(10)
    assert not worker.is_alive()
    assert seen == ["a", "b", "c"]


def test_many_threads_lose_nothing():
    queue, seen = RequestQueue(10_000), []

    def work():
        while (taken := queue.take(7)) is not None:
            seen.extend(names(taken.batch))

    workers = [threading.Thread(target=work, daemon=True) for _ in range(3)]
    givers = [threading.Thread(target=lambda part=part: [queue.put([waiting(part + i)]) for i in range(300)]) for part in (0, 300, 600)]
    for thread in (*workers, *givers):
        thread.start()
    for giver in givers:
        giver.join()
    queue.close()
    for worker in workers:
        worker.join(10)
    assert sorted(seen) == list(range(900))


def test_a_batch_is_enough_when_it_is_full_in_a_hurry_or_the_last_that_can_come():
    queue = queue_of(waiting("a", 3))
    assert not queue.is_enough(4)
    queue.put([waiting("b")])
    assert queue.is_enough(4)
    assert queue_of(waiting("urgent", priority=URGENT)).is_enough(4)
    assert queue_of(waiting("a"), waiting("b"), bound=2).is_enough(4)  # who feeds it waits until there is room
    closed = queue_of(waiting("a"))
    closed.close()
    assert closed.is_enough(4) and not closed.is_over()
    closed.take(4)
    assert closed.is_over() and not queue_of().is_over()


def test_options_are_read_and_checked():
    read = ServingOptions.from_parameters(Parameters({"max_waiting": "9", "max_wait_seconds": "5", "default_priority": "1"}), "net")
    assert read == ServingOptions(9, 5, URGENT)
    assert ServingOptions.from_parameters(Parameters({}), "net") == ServingOptions()
    assert set(ServingOptions.__slots__) == SERVING_KEYS
    for key, value, expected in [
        ("max_waiting", "0", "at least 1"),
        ("max_wait_seconds", "-1", "at least 1"),
        ("default_priority", "3", r"1 \(urgent\) or 2 \(bulk\)"),
        ("nice", "20", "0 to 19"),
        ("nice", "-1", "0 to 19"),
    ]:
        with pytest.raises(ConfigError, match=f"net: parameter {key} is {value}; expected {expected}"):
            ServingOptions.from_parameters(Parameters({key: value}), "net")


def test_bulk_work_that_urgent_work_never_lets_through_is_told_in_the_end():
    clock = Clock()
    queue = queue_of(waiting("late", deadline=105), waiting("patient"), waiting("hasty", deadline=101), clock=clock)
    clock.now = 102
    queue.put([waiting(f"urgent {number}", priority=URGENT) for number in range(4)])
    first = queue.take(2)
    assert (names(first.batch), names(first.expired)) == (["urgent 0", "urgent 1"], ["hasty"])
    clock.now = 106
    second = queue.take(2)
    assert (names(second.batch), names(second.expired)) == (["urgent 2", "urgent 3"], ["late"])
    assert names(queue.take(2).batch) == ["patient"]
