"""What our own queues counted, from Triton's metrics page: Triton's statistics know nothing of batches that are made behind it."""

import re
import urllib.request
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

_SAMPLE = re.compile(r'^triptych_(\w+)_total\{((?:[^}]*,)?model="([^"]*)"[^}]*)\} (\S+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """Of one instance since its start: batches, requests and rows in them, and the requests' seconds waiting and computing."""

    runs: float = 0
    requests: float = 0
    rows: float = 0
    queue_seconds: float = 0
    compute_seconds: float = 0

    def __add__(self, other: "QueueCounts") -> "QueueCounts":
        return QueueCounts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    def until(self, later: "QueueCounts") -> "QueueCounts":
        """What came between."""
        return QueueCounts(*(getattr(later, name) - getattr(self, name) for name in self.__slots__))

    @property
    def mean_batch(self) -> float:
        """Rows of a batch; 0 without any."""
        return self.rows / self.runs if self.runs else 0.0

    def per_request_ms(self, seconds: float) -> float:
        """Milliseconds of one request, of the seconds of all."""
        return 1e3 * seconds / self.requests if self.requests else 0.0


Instances = Mapping[str, QueueCounts]
"""The counts of a model's instances, by their labels on the page: a model that is loaded anew has others."""


def counted_between(before: Instances, later: Instances) -> QueueCounts:
    """What all instances counted between two readings; of those that have gone meanwhile, nothing is known."""
    nothing = QueueCounts()
    return sum((before.get(labels, nothing).until(counts) for labels, counts in later.items()), nothing)


def read_counts(metrics_url: str) -> dict[str, Instances] | None:
    """By model, those that count for themselves; None when the page cannot be had."""
    try:
        with urllib.request.urlopen(metrics_url, timeout=10) as answer:
            return parse_counts(answer.read().decode())
    except OSError:
        return None


def parse_counts(page: str) -> dict[str, Instances]:
    """From the text of the metrics page."""
    found: defaultdict[str, defaultdict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for name, labels, model, value in _SAMPLE.findall(page):
        if name in QueueCounts.__slots__:
            found[model][labels][name] = float(value)
    return {model: {labels: QueueCounts(**counts) for labels, counts in each.items()} for model, each in found.items()}
