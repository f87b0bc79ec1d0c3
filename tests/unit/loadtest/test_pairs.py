"""Two ways asked in turn. The connections are fakes, and so is the clock, which they alone move: no time is measured here."""

import asyncio
import os
from contextlib import asynccontextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from loadtest import pairs
from loadtest.loads import Photos
from loadtest.pairs import Pairs, run_pairs
from loadtest.services import Service
from triptych_server.benchmark.cpu import CpuUse

SLOW, FAST = "predict", "search_image"
SECONDS = {SLOW: 0.003, FAST: 0.001}


class Ways:
    """Fake connections: each answer takes its way's time, and what was sent is written down."""

    def __init__(self):
        self.now = 0.0
        self.sent = []
        self.open = set()
        self.busy = False

    def connect(self, task):
        @asynccontextmanager
        async def connect(url, jpegs):
            self.open.add(url)
            turns = iter(range(10**6))

            async def send():
                assert not self.busy
                self.busy = True
                self.sent.append((task, url, jpegs[next(turns) % len(jpegs)]))
                await asyncio.sleep(0)
                self.now += SECONDS[task]
                self.busy = False

            yield send
            self.open.discard(url)

        return connect


@pytest.fixture
def ways(monkeypatch):
    made = Ways()
    monkeypatch.setattr(pairs, "CONNECTIONS", {task: made.connect(task) for task in SECONDS})
    monkeypatch.setattr(pairs, "time", SimpleNamespace(perf_counter=lambda: made.now))
    return made


@pytest.fixture
def photos(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.jpg").write_bytes(name.encode())
    return Photos(tmp_path)


def ask(photos, warm_up=0.0, seconds=0.4):
    return run_pairs([(SLOW, Service("slow:1", os.getpid())), (FAST, Service("fast:1", os.getpid()))], photos, warm_up, seconds)


def test_each_photo_goes_both_ways_one_request_at_a_time_in_an_order_of_its_own(ways, photos):
    found = ask(photos, warm_up=0.1)
    assert not ways.open
    rounds = [ways.sent[at : at + 2] for at in range(0, len(ways.sent), 2)]
    assert all(one[2] == other[2] and {one[:2], other[:2]} == {(SLOW, "slow:1"), (FAST, "fast:1")} for one, other in rounds)
    assert {one[2] for one, _ in rounds} == {b"a", b"b", b"c"}
    assert {one[0] for one, _ in rounds} == {SLOW, FAST}  # which is first is drawn
    assert 100 <= len(found.latencies_ms) < len(rounds)  # 0.4 s of 4 ms each; the warm-up's are not among them


def test_times_stand_with_their_way_whichever_was_asked_first(ways, photos):
    found = ask(photos)
    np.testing.assert_allclose(found.latencies_ms, [[3.0, 1.0]] * len(found.latencies_ms))
    assert (*found.medians_ms, found.added_ms) == pytest.approx((3.0, 1.0, 2.0))


def test_what_is_added_is_the_median_of_differences_not_the_difference_of_medians():
    found = Pairs(np.array([[1.0, 0.0], [5.0, 2.0], [9.0, 8.0]]), CpuUse({}, wall=1.0, idle=0.0))
    assert (found.medians_ms, found.added_ms) == ((5.0, 2.0), 1.0)


def test_one_pair_is_asked_however_short_the_time(ways, photos):
    assert len(ask(photos, seconds=0.0).latencies_ms) == 1


def test_an_error_of_a_request_is_raised(ways, photos, monkeypatch):
    @asynccontextmanager
    async def failing(url, jpegs):
        async def send():
            raise ValueError("an embedding of length 0 came back")

        yield send

    monkeypatch.setitem(pairs.CONNECTIONS, FAST, failing)
    with pytest.raises(ValueError, match="length 0"):
        ask(photos)
