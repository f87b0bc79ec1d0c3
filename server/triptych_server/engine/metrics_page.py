"""Triton's metrics page without the gauges of dead processes, which stay there, at their last value, for as long as Triton runs.

Their counters stay on the page: a sum over them must not fall.
"""

import re
from collections.abc import Callable

_GAUGE = re.compile(r"# TYPE (\S+) gauge")
_SAMPLE = re.compile(r'([^\s{#]+)\{(?:[^}]*,)?pid="(\d+)"')


def without_dead_gauges(page: str, is_living: Callable[[int], bool]) -> str:
    """The page, in Prometheus' text format, without samples of gauges whose label `pid` is of no living process."""
    gauges, kept = set[str](), []
    for line in page.splitlines(keepends=True):
        if declared := _GAUGE.match(line):
            gauges.add(declared[1])
        sample = _SAMPLE.match(line)
        if sample is None or sample[1] not in gauges or is_living(int(sample[2])):
            kept.append(line)
    return "".join(kept)
