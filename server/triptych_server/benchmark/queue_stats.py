"""What our own queues counted, from Triton's metrics page: Triton's statistics know nothing of batches that are made behind it."""

import re
import urllib.request
from collections import defaultdict
from dataclasses import dataclass
from typing import Self

_SAMPLE = re.compile(r'^triptych_(\w+)_total\{(?:[^}]*,)?model="([^"]*)"[^}]*\} (\S+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """One model since its start, all instances: batches, requests and rows in them, and the requests' seconds waiting and computing."""

    runs: float = 0
    requests: float = 0
    rows: float = 0
    queue_seconds: float = 0
    compute_seconds: float = 0

    def until(self, later: Self) -> "QueueCounts":
        """What came between; all of `later` when the model was loaded anew meanwhile."""
        if later.runs < self.runs:
            return later
        return QueueCounts(*(getattr(later, name) - getattr(self, name) for name in self.__slots__))

    @property
    def mean_batch(self) -> float:
        """Rows of a batch; 0 without any."""
        return self.rows / self.runs if self.runs else 0.0

    def per_request_ms(self, seconds: float) -> float:
        """Milliseconds of one request, of the seconds of all."""
        return 1e3 * seconds / self.requests if self.requests else 0.0


def read_counts(metrics_url: str) -> dict[str, QueueCounts] | None:
    """By model, those that count for themselves; None when the page cannot be had."""
    try:
        with urllib.request.urlopen(metrics_url, timeout=10) as answer:
            return parse_counts(answer.read().decode())
    except OSError:
        return None


def parse_counts(page: str) -> dict[str, QueueCounts]:
    """From the text of the metrics page."""
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for name, model, value in _SAMPLE.findall(page):
        if name in QueueCounts.__slots__:
            found[model][name] = found[model].get(name, 0.0) + float(value)
    return {model: QueueCounts(**counts) for model, counts in found.items()}
