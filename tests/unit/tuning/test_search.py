"""The search over a scorer whose best point is known: it finds it, keeps limits, goes on after an interruption."""

import pytest

from triptych_server.errors import ConfigError, EngineError, TritonCrashedError
from triptych_server.tuning.goal import Goal
from triptych_server.tuning.knobs import Knob
from triptych_server.tuning.load import summary
from triptych_server.tuning.search import Tried, pareto, ranked, search
from triptych_server.tuning.trial import PROFILE, Score

KNOBS = {"net": [Knob("threads", (1, 2, 4, 8), lambda config, value: None), Knob("delay", (0, 100, 1000), lambda config, value: None)]}


def scored(point):
    """More threads are faster, a delay makes answers late; two points cannot be loaded."""
    if point == PROFILE:
        return Score(100, 10, 50, 0.0, 500)
    if point["net.delay"] == 1000 and point["net.threads"] == 1:
        raise EngineError("it does not fit")
    return Score(50 * point["net.threads"], 10, 40 + point["net.delay"], 0.0, 500 + point["net.threads"])


def run(tmp_path, goal, trials=24, score=scored, seen=None):
    return search(
        score,
        KNOBS,
        goal,
        trials,
        tmp_path / "tuning.journal",
        "study",
        lambda number, tried: seen.append(number) if seen is not None else None,
    )


def test_the_best_point_under_the_limit_is_found(tmp_path):
    goal = Goal("throughput", p95_ms=60)
    profile, tried = run(tmp_path, goal)
    assert profile == scored(PROFILE)
    assert len(tried) == 24
    winner = ranked(tried, profile, goal)[0]
    assert winner.point == {"net.threads": 8, "net.delay": 0}
    assert goal.gain(winner.score, profile) == 4


def test_a_point_that_cannot_be_loaded_is_told_and_passed_over(tmp_path):
    _, tried = run(tmp_path, Goal(), 40)
    failed = [each for each in tried if each.score is None]
    assert failed and all(each.reason == "it does not fit" and each.point["net.delay"] == 1000 for each in failed)


def test_points_that_come_after_triton_has_ended_are_not_remembered(tmp_path):
    seen = []

    def score(point):
        if len(seen) == 2:
            raise TritonCrashedError("it has ended")
        return scored(point)

    with pytest.raises(TritonCrashedError):
        run(tmp_path, Goal(), 5, score, seen)
    run(tmp_path, Goal(), 3, seen=seen)
    assert seen == [1, 2, 3]


def test_a_search_that_was_cut_short_goes_on(tmp_path):
    count = 0

    def interrupted(point):
        nonlocal count
        count += 1
        if count == 6:
            raise KeyboardInterrupt
        return scored(point)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Goal(), 10, interrupted)
    seen = []
    _, tried = run(tmp_path, Goal(), 10, seen=seen)
    assert seen == [5, 6, 7, 8, 9, 10]  # the profile and four points were there
    assert len(tried) == 10
    assert [each.point for each in tried[4:8]] != [each.point for each in tried[:4]]  # the optimiser did not begin anew


def test_another_goal_begins_with_the_points_that_are_known(tmp_path):
    _, tried = run(tmp_path, Goal("throughput", p95_ms=60), 24)
    seen = []
    profile, again = run(tmp_path, Goal("memory"), 26, seen=seen)
    assert seen == [25, 26] and again[:24] == tried
    assert ranked(again, profile, Goal("throughput", p95_ms=60))[0].point == {"net.threads": 8, "net.delay": 0}


def test_nothing_under_the_limits_is_no_winner(tmp_path):
    profile, tried = run(tmp_path, Goal("latency", p95_ms=1), 5)
    assert ranked(tried, profile, Goal("latency", p95_ms=1)) == []


def test_saving_memory_must_keep_most_of_the_throughput():
    goal, profile = Goal("memory"), Score(100, 10, 50, 0.0, 500)
    slow, good = Tried({"a": 1}, Score(80, 10, 50, 0.0, 100)), Tried({"a": 2}, Score(95, 10, 50, 0.0, 300))
    assert ranked([slow, good], profile, goal) == [good]


def test_where_the_profile_breaks_the_limit_a_slower_point_that_keeps_it_will_do():
    slower = Tried({"a": 1}, Score(90, 10, 40, 0.0, 500))
    assert ranked([slower], Score(100, 10, 50, 0.0, 500), Goal("throughput", p95_ms=45)) == [slower]
    assert ranked([slower], Score(100, 10, 50, 0.0, 500), Goal("throughput", p95_ms=55)) == []


def test_a_point_that_was_tried_twice_is_compared_once_and_none_that_lost():
    goal, profile = Goal(), Score(100, 10, 50, 0.0, 500)
    once, again, lost = (Tried({"a": a}, Score(rate, 10, 50, 0.0, 500)) for a, rate in ((1, 120), (1, 110), (2, 99)))
    assert ranked([again, lost, once], profile, goal) == [once]


def test_the_front_holds_what_no_other_beats():
    points = [Tried({}, Score(throughput, 1, p95, 0, 1)) for throughput, p95 in [(100, 50), (90, 60), (120, 80), (80, 30), (120, 90)]]
    assert [each.score.throughput for each in pareto([*points, Tried({}, None, "broken")])] == [80, 100, 120]


@pytest.mark.parametrize(
    ("arguments", "message"), [(("speed",), "expected one of throughput, latency, memory"), (("latency", 0.0), "more than 0")]
)
def test_a_goal_must_make_sense(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Goal(*arguments)


def test_requests_count_by_the_share_of_their_life_inside():
    found = summary([(0.5, 1.5), (1.5, 2.5), (2.5, 3.5)], [1.2], begin=1.0, end=3.0)
    assert found.throughput == pytest.approx((0.5 + 1 + 0.5) / 2)
    assert found.p50_ms == pytest.approx(1000)
    assert found.refused == pytest.approx(1 / 3)
    slow = summary([(0.5, 4.5), (0.6, 5.0)], [], begin=1.0, end=2.0)
    assert slow.throughput == pytest.approx((3.5 / 4 + 4 / 4.4) / 4)
    with pytest.raises(EngineError, match="no request was answered in 2.0 s: it is full"):
        summary([], [], 1.0, 3.0, "it is full")
