"""What the gateway counts, as Prometheus' own client keeps it; a registry of its own, so that two gateways can share a process."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from triptych.gateway.fleet import Fleet

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120)


class Meters:
    """Requests by path and status, how long they took, how many are under way, and what was sent to another Triton."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("path", "status")
        self._requests = Counter(
            "triptych_gateway_requests", "Requests answered, or left by their caller (499)", labels, registry=self.registry
        )
        self._seconds = Histogram(
            "triptych_gateway_seconds",
            "From the head of a request to the end of its answer",
            ("path",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge("triptych_gateway_in_flight", "Requests for work under way", registry=self.registry)
        self._lost = Counter("triptych_gateway_lost", "Requests that a Triton lost or turned away", ("triton",), registry=self.registry)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def lost(self, url: str) -> None:
        """Count one request that a Triton did not answer; another is asked, where there is one."""
        self._lost.labels(url).inc()

    def follow(self, fleet: Fleet) -> None:
        """Show the state of every Triton, too."""
        self.registry.register(_Backends(fleet))

    def page(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)


class _Backends(Collector):
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[Metric]:
        ready = GaugeMetricFamily("triptych_gateway_triton_ready", "Whether every model of a Triton is loaded and warm", labels=["triton"])
        pending = GaugeMetricFamily("triptych_gateway_triton_pending", "Requests under way at a Triton", labels=["triton"])
        for backend in self._fleet.backends:
            ready.add_metric([backend.url], float(backend.served is not None))
            pending.add_metric([backend.url], backend.pending)
        yield from (ready, pending)
