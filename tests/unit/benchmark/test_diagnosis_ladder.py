"""The ladder, its shares, the limits and what is said about them."""

from dataclasses import replace

import pytest

from tests.support.made_figures import VISUAL, alone, changed, figures, machine, observed
from triptych_server.benchmark.diagnosis.ladder import ladder, summary
from triptych_server.benchmark.limits import Limits, Part


def test_each_rung_is_a_share_of_the_one_before_within_its_part():
    rungs = {(rung.part, rung.name.split(",")[0]): rung for rung in ladder(figures())}
    first = rungs[VISUAL, "the runtime alone"]
    assert (first.rate, first.rate_share, first.lone_ms, first.lone_share) == (44.0, None, 27.0, None)
    assert rungs[VISUAL, "the backend in Triton"].rate_share == pytest.approx(43.5 / 44)
    messages = next(rung for rung in ladder(figures()) if rung.name.endswith("in the messages"))
    assert (messages.rate_share, messages.lone_share) == pytest.approx((42 / 43, 27.5 / 28.5))
    whole = ladder(figures())[-1]
    assert whole.rate_share == pytest.approx(29 / (1 / (1 / 98 + 1 / 42)))


def test_what_was_not_measured_is_passed_over():
    rungs = ladder(changed(figures(), visual={"backend": None, "shared": None, "shared_lone": None}))
    messages = next(rung for rung in rungs if rung.name.endswith("in the messages"))
    assert messages.rate_share == pytest.approx(42 / 44)


def test_a_network_by_itself_has_no_whole_above_it():
    assert [rung.part for rung in ladder(replace(figures(), target=VISUAL, steps=()))] == [VISUAL] * 4


def changed_rows(each):
    return changed(figures(), visual={"each": each})


def test_the_limit_is_its_parts_and_nothing_else():
    limits = figures().limits
    assert limits.throughput == pytest.approx(1 / (1 / 100 + 1 / 44))
    assert limits.latency_ms == pytest.approx(20 + 27)
    assert changed_rows(3.0).limits.throughput == pytest.approx(1 / (1 / 100 + 3 / 44))
    assert changed_rows(0.0).limits.throughput == pytest.approx(100)  # photos without faces: nothing to recognise


def test_an_accelerator_works_while_the_cores_decode():
    limits = Limits.of_parts([Part(100.0, 10.0), Part(40.0, 5.0, on_cpu=False)])
    assert limits == Limits(pytest.approx(40.0), pytest.approx(15.0))


def test_there_is_no_limit_without_every_part():
    made = changed(figures(), visual={"full": None})
    assert made.limits is None
    assert made.reached is None
    assert "not known" in summary(made)


def test_the_summary_speaks_of_speed_only_where_the_machine_was_quiet():
    assert summary(figures()).startswith("search_image reaches 0.95 of this machine's limit, 30.6 per second")
    busy = changed(figures(), many=observed(29.0, machine=machine(others=0.4)))
    assert summary(busy).startswith("A request takes 66.0 ms of CPU")


def test_cpu_time_of_what_runs_elsewhere_is_no_share():
    assert changed(figures(), visual={"full": alone(16, 900.0, device="CUDA:0")}).cpu_ms is None
    assert figures().cpu_ms == pytest.approx(20 + 2000 / 44)
