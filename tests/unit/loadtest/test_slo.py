"""Gates of a load test."""

import pytest

from loadtest.slo import Gate, Measured, missed

SEEN = {
    "search_image": Measured(90, 10, {0.95: 310.0, 0.99: 900.0}),
    "search_text": Measured(20, 0, {0.95: 40.0, 0.99: 41.0}),
}


@pytest.mark.parametrize(
    ("text", "misses"),
    [
        ("p95=400", []),
        ("p95=300", ["search_image: p95 is 310 ms, over 300 ms"]),
        ("p95=30", ["search_image: p95 is 310 ms, over 30 ms", "search_text: p95 is 40 ms, over 30 ms"]),
        ("search_text:p99=40", ["search_text: p99 is 41 ms, over 40 ms"]),
        ("shed=0.1", []),
        ("shed=0.05", ["search_image: 10.0 % were shed, over 5 %"]),
        ("search_text:shed=0", []),
        ("faces:p95=400", ["faces: nothing was measured"]),
    ],
)
def test_what_is_over_a_limit_is_told(text, misses):
    assert missed([Gate.parse(text)], SEEN) == misses


def test_nothing_measured_is_no_success():
    assert missed([Gate.parse("p95=400")], {}) == ["nothing was measured"]
    assert missed([Gate.parse("p95=400")], {"faces": Measured(0, 7, {})}) == ["faces: every request was shed"]
    assert missed([], {}) == []


@pytest.mark.parametrize("text", ["p95", "95=300", "p95=fast", "p0=3", "p100=3", "shed=1.5", "faces p95=3", ""])
def test_what_is_no_gate_is_refused(text):
    with pytest.raises(ValueError, match="--slo is"):
        Gate.parse(text)
