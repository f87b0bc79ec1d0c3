"""What counts as a change is what lies beyond the spread; what cannot be compared is told."""

import pytest
from typer.testing import CliRunner

from tests.support.reports import FACTS, report, run
from triptych.cli.app import build
from triptych.cli.console import CommandError
from triptych_server.benchmark.compare import Verdict, compare
from triptych_server.benchmark.results import Point, Report
from triptych_server.errors import ConfigError


def of(*throughputs, latency=10.0, level=4):
    return report([Point("search_image", "concurrency", level, runs=tuple(run(value, latency) for value in throughputs))])


def verdict(first, second, figure="throughput"):
    (change,) = [change for change in compare(first, second).changes if change.figure == figure]
    return change


@pytest.mark.parametrize(
    ("after", "expected"),
    [((80, 81, 82), Verdict.WORSE), ((98, 99, 140), Verdict.WITHIN), ((121, 122, 130), Verdict.BETTER), ((50, 50), Verdict.UNKNOWN)],
)
def test_more_answers_are_better_where_every_run_says_so(after, expected):
    change = verdict(of(99, 100, 120), of(*after))
    assert change.verdict is expected
    assert change.ratio == pytest.approx(sorted(after)[len(after) // 2] / 100)


def test_it_is_told_how_often_chance_alone_does_it():
    assert compare(of(99, 100, 101), of(99, 100, 101)).chance == pytest.approx(0.1)
    assert compare(of(99, 100, 101, 102), of(1, 2, 3, 4)).chance == pytest.approx(2 / 70)
    assert compare(of(99), of(99)).chance == 0


def test_more_milliseconds_are_worse():
    change = verdict(of(99, 100, 101), of(99, 100, 101, latency=12), "p50_ms")
    assert (change.verdict, change.loss) == (Verdict.WORSE, pytest.approx(0.2))


def test_perf_analyzers_own_cpu_time_is_left_out():
    assert verdict(of(1, 2), of(1, 2), "cpu_ms_sum").before == (8.0, 8.0)


@pytest.mark.parametrize(
    ("facts", "obstacle"),
    [
        ({"machine": {**FACTS["machine"], "cpu": "B"}}, "another machine: A CPU and B"),
        ({"machine": {**FACTS["machine"], "cores": 4}}, "another number of cores: 2 and 4"),
        ({"corpus": {**FACTS["corpus"], "digest": "d2"}}, "another corpus: d1 and d2"),
        ({"weights": {"clip_visual": "w2"}}, "other weights of clip_visual: w1 and w2"),
        ({"weights": {}}, "the weights of one are not known"),
        ({"plan": {"seconds": 1.0, "stability": 10.0}}, "other seconds: 2 and 1"),
    ],
)
def test_what_makes_two_reports_incomparable(facts, obstacle):
    assert compare(report(), report(**facts)).obstacles == (obstacle,)
    assert compare(report(), report()).obstacles == ()


def saved(tmp_path, name, report):
    (tmp_path / name).mkdir()
    report.save(tmp_path / name)
    return str(tmp_path / name)


@pytest.mark.parametrize(
    ("after", "limit", "code"),
    [
        ((80, 81, 82), "0.1", 2),
        ((80, 81, 82), "0.3", 0),  # worse, by less
        ((80, 81, 99.5), "0.1", 0),  # within the spread
        ((99, 100, 101), "0.1", 0),
    ],
)
def test_the_exit_code_is_for_ci(tmp_path, after, limit, code):
    places = saved(tmp_path, "a", of(99, 100, 101)), saved(tmp_path, "b", of(*after))
    assert CliRunner().invoke(build(), ["bench", "compare", *places]).exit_code == 0
    page = tmp_path / "c.html"
    done = CliRunner().invoke(build(), ["bench", "compare", *places, "--fail-over", limit, "--html", str(page)])
    assert done.exit_code == code, done.output
    assert page.is_file()


def test_a_load_that_gives_no_figures_any_more_is_worse(tmp_path):
    lost = report(
        [
            Point("search_image", "concurrency", 4, runs=(run(100), run(101), run(102))),
            Point("search_image", "concurrency", 8, problems=("shed",)),
        ]
    )
    both = report([*of(100, 101, 102).points, *of(100, 101, 102, level=8).points])
    places = saved(tmp_path, "a", both), saved(tmp_path, "b", lost)
    done = CliRunner().invoke(build(), ["bench", "compare", *places, "--fail-over", "0.1"])
    assert done.exit_code == 2
    assert "8 in flight: no figures any more" in done.output


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (of(50), "too few runs"),
        (of(50, 51), "too few runs"),
        (report(profile="x", corpus={**FACTS["corpus"], "digest": "d2"}), "no verdict"),
    ],
)
def test_no_verdict_without_a_ground_for_one(tmp_path, second, reason):
    places = saved(tmp_path, "a", of(50) if second.facts == of(50).facts else report()), saved(tmp_path, "b", second)
    done = CliRunner().invoke(build(), ["bench", "compare", *places, "--fail-over", "0.1"])
    assert isinstance(done.exception, CommandError)
    assert reason in str(done.exception)


def test_what_is_no_report_is_told(tmp_path):
    for content in ("{}", "no json", '{"format": 1}', "[]"):
        (tmp_path / "report.json").write_text(content)
        with pytest.raises(ConfigError, match=r"report|damaged"):
            Report.load(tmp_path)
    with pytest.raises(ConfigError, match="holds no report"):
        Report.load(tmp_path / "nowhere.json")
