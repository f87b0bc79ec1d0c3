"""`triptych_runs_total` and its like: what waited and ran, of every instance, on Triton's metrics page.

Triton's own counts are of calls of `execute`, which here end before anything has run.
"""

from __future__ import annotations  # Triton adds its classes to pb_utils only after this import

import threading
from collections.abc import Callable

import triton_python_backend_utils as pb_utils

from triptych_server.serving.instance import Instance

EVERY_SECONDS = 0.2
"""At most so often the page is brought up to date: each number is a round trip to the server."""
COUNTERS = {
    "triptych_runs_total": "Batches that a model has run",
    "triptych_requests_total": "Requests in these batches",
    "triptych_rows_total": "Rows in these batches; divided by the runs, the mean batch",
    "triptych_queue_seconds_total": "Time that requests waited for their batch",
    "triptych_compute_seconds_total": "Time that their batches took to compute, counted for every request of a batch",
    "triptych_refused_total": "Requests refused because too many waited, or because they waited too long",
}
WAITING, WAITING_HELP = "triptych_waiting", "Requests that wait for their batch now"


class QueueMetrics:
    """Counts of one instance, which any thread may raise; one of its own publishes them. `waiting` tells how many wait."""

    def __init__(self, instance: Instance, waiting: Callable[[], int]) -> None:
        labels = instance.metric_labels()
        kinds = {name: (text, pb_utils.MetricFamily.COUNTER) for name, text in COUNTERS.items()}
        kinds[WAITING] = (WAITING_HELP, pb_utils.MetricFamily.GAUGE)
        families = {name: pb_utils.MetricFamily(name, text, kind) for name, (text, kind) in kinds.items()}
        self._published = {name: (family.Metric(labels), family) for name, family in families.items()}  # freed in this order
        self._waiting = waiting
        self._counts = dict.fromkeys(COUNTERS, 0.0)
        self._lock = threading.Lock()
        self._changed, self._closing = threading.Event(), threading.Event()
        self._publisher = threading.Thread(target=self._publish, name=f"{instance.model}_metrics", daemon=True)
        self._publisher.start()

    def count(self, **more: float) -> None:
        """Add to the counts, by their names without `triptych_` and `_total`; nothing tells that requests have come to wait."""
        with self._lock:
            for name, value in more.items():
                self._counts[f"triptych_{name}_total"] += value
        self._changed.set()

    def close(self) -> None:
        """Stop, and free the metrics while the stub still talks to Triton: freed later, at its exit, they take the stub down."""
        self._closing.set()
        self._changed.set()
        self._publisher.join()
        self._published.clear()

    def _publish(self) -> None:
        ends = False
        while not ends:
            self._changed.wait()
            self._changed.clear()
            ends = self._closing.is_set()
            with self._lock:
                added, self._counts = self._counts, dict.fromkeys(COUNTERS, 0.0)
            for name, more in added.items():
                if more:
                    self._published[name][0].increment(more)
            self._published[WAITING][0].set(float(self._waiting()))
            self._closing.wait(EVERY_SECONDS)
