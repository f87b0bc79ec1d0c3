"""Ratios are taken pair by pair, goals are judged by what they are of, and the report holds what the table shows."""

import json
from io import StringIO

import pytest
from rich.console import Console

from loadtest.report import Goal, Row, print_rows, write_report
from tests.support.reports import parsed
from triptych_server.benchmark.series import Series


def row(ours=(10.0, 20.0, 60.0), baseline=(5.0, 5.0, 20.0), goal=None, bound=None):
    return Row("throughput", "photos per second", Series("ours", "/s", ours), Series("theirs", "/s", baseline), goal, bound)


def test_the_ratio_is_the_median_of_the_pairs_not_the_ratio_of_the_medians():
    assert row().ratios == (2.0, 4.0, 3.0)
    assert row().ratio == 3.0  # of the medians it would be 4


def test_series_of_different_length_give_one_ratio_of_their_medians():
    assert row(baseline=(4.0, 5.0)).ratios == (20 / 4.5,)


@pytest.mark.parametrize(("limit", "sense", "reached"), [(3.0, ">=", True), (3.1, ">=", False), (3.0, "<=", True), (2.9, "<=", False)])
def test_a_goal_for_the_ratio(limit, sense, reached):
    assert row(goal=Goal(limit, sense)).reached is reached


def test_a_goal_for_our_own_figure_does_not_look_at_the_baseline():
    assert row(goal=Goal(20.0, "<=", "ours")).reached is True
    assert row(goal=Goal(19.9, "<=", "ours")).reached is False


def test_a_row_for_comparison_has_no_verdict():
    assert row().reached is None


def test_without_a_baseline_there_is_a_goal_for_our_own_figure_only():
    error = Series("scaled", "/255", (0.0,))
    alone = Row("error", "mean difference", error, goal=Goal(1.0, "<=", "ours"))
    assert (alone.ratio, alone.ratios, alone.reached, alone.as_json()["baseline"]) == (None, (), True, None)
    with pytest.raises(ValueError, match="no baseline"):
        Row("error", "mean difference", error, goal=Goal(1.0, "<="))


def test_the_spread_is_the_range_over_the_median():
    assert Series("x", "ms", (9.0, 10.0, 12.0)).spread == pytest.approx(0.3)


@pytest.mark.parametrize("values", [(), (-1.0,)])
def test_a_series_of_nothing_or_of_impossible_values_is_refused(values):
    with pytest.raises(ValueError, match="at least one is needed"):
        Series("x", "ms", values)


def test_the_report_holds_the_figures_the_ratio_the_verdict_and_the_facts(tmp_path):
    path = tmp_path / "reports" / "bench.json"
    write_report(path, [row(goal=Goal(3.0, ">="), bound=4.5)], {"precision": "bf16"})
    report = json.loads(path.read_text())
    (saved,) = report["rows"]
    assert report["precision"] == "bf16"
    assert (saved["ratio"], saved["ratios"], saved["bound"], saved["reached"]) == (3.0, [2.0, 4.0, 3.0], 4.5, True)
    assert saved["ours"] == {"label": "ours", "unit": "/s", "values": [10, 20, 60], "median": 20, "spread": 2.5}
    assert saved["goal"] == {"limit": 3.0, "sense": ">=", "of": "ratio"}
    page = " ".join(parsed(path.with_suffix(".html").read_text()).itertext())
    for figure in ("photos per second", "3.00", "2 to 4", "4.50", ">= 3.0", "yes"):
        assert figure in page


def test_the_table_shows_ratio_goal_bound_and_verdict():
    out = StringIO()
    error = Row("error", "x", Series("scaled", "/255", (0.25,)))
    print_rows(Console(width=140, file=out), [row(goal=Goal(7.0, ">="), bound=4.5), row(), error])
    text = out.getvalue()
    for figure in ("3.00", "2.00 to 4.00", "4.50", ">= 7", "no", "0.25 /255"):
        assert figure in text
