"""`triptych_runs_total` and its like: what waited and ran, of every instance, on Triton's metrics page.

Triton's own counts are of calls of `execute`, which here end before anything has run.
"""

from __future__ import annotations  # Triton adds its classes to pb_utils only after this import

import threading
from collections.abc import Callable, Mapping

import triton_python_backend_utils as pb_utils

from triptych_server.serving.instance import Instance
from triptych_server.serving.metric_labels import metric_labels

EVERY_SECONDS = 0.2
"""At most so often the page is brought up to date: each number is a round trip to the server."""
COUNTERS = {
    "triptych_taken_total": "Requests that have left the queue: to be run, too late, or given up by their clients",
    "triptych_runs_total": "Batches that a model has run",
    "triptych_requests_total": "Requests in these batches",
    "triptych_rows_total": "Rows in these batches; divided by the runs, the mean batch",
    "triptych_queue_seconds_total": "Time that requests waited for their batch",
    "triptych_compute_seconds_total": "Time that their batches took to compute, counted for every request of a batch",
    "triptych_refused_total": "Requests refused because too many waited, or because they waited too long",
}
GAUGES = {
    "triptych_waiting": "Requests that wait for their batch now",
    "triptych_running": "Batches that run now, or are being answered",
}


class QueueMetrics:
    """Counts of one instance, which any thread may raise; one of its own publishes them. `waiting` tells how many requests wait,
    `running` how many batches run: by both, and the counts, who watches the server sees that a model hangs."""

    def __init__(self, instance: Instance, waiting: Callable[[], int], running: Callable[[], int]) -> None:
        labels = metric_labels(instance)
        kinds = {name: (text, pb_utils.MetricFamily.COUNTER) for name, text in COUNTERS.items()}
        kinds |= {name: (text, pb_utils.MetricFamily.GAUGE) for name, text in GAUGES.items()}
        families = {name: pb_utils.MetricFamily(name, text, kind) for name, (text, kind) in kinds.items()}
        self._published = {name: (family.Metric(labels), family) for name, family in families.items()}  # freed in this order
        self._gauges = dict(zip(GAUGES, (waiting, running), strict=True))
        self._counts = dict.fromkeys(COUNTERS, 0.0)
        self._lock = threading.Lock()
        self._changed, self._closing = threading.Event(), threading.Event()
        self._changed.set()  # an instance that died may have left its gauges
        self._publisher = threading.Thread(target=self._publish, name=f"{instance.model}_metrics", daemon=True)
        self._publisher.start()

    def count(self, **more: float) -> None:
        """Add to the counts, by their names without `triptych_` and `_total`; nothing tells that requests have come to wait."""
        with self._lock:
            for name, value in more.items():
                self._counts[f"triptych_{name}_total"] += value
        self._changed.set()

    def touch(self) -> None:
        """Something waits or runs that did not, or no longer."""
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
            try:
                self._show(added)
            except Exception as error:  # a page that stands still looks like a model that hangs: the next time may go well
                pb_utils.Logger.log_error(f"counts were not published: {error}")
            self._closing.wait(EVERY_SECONDS)

    def _show(self, added: Mapping[str, float]) -> None:
        for name, more in added.items():
            if more:
                self._published[name][0].increment(more)
        for name, gauge in self._gauges.items():
            self._published[name][0].set(float(gauge()))
