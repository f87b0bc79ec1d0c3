"""What was counted between two moments -> mean batch, queue and compute time per model: by Triton, and by queues of ours behind it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tritonclient import grpc

from triptych_server.benchmark.queue_stats import Instances, counted_between, read_counts

STILL_SECONDS = 0.3
"""Longer than our queues take to publish their counts."""
SETTLED_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class ModelUse:
    """Means of one model over a stretch of time; milliseconds are wall time per request. `inferences` counts rows."""

    requests: int
    mean_batch: float
    queue_ms: float
    compute_ms: float
    inferences: int = 0


@dataclass(frozen=True, slots=True)
class TritonStats:
    """A reading of the counters: per model (requests answered, inferences, executions, ns queued, ns computed), and
    the requests that failed, those turned away included. `queues` are our own counts, which count instead: to Triton these models' runs end
    before they begin. None: not known, and so no model's batches are."""

    counters: Mapping[str, tuple[int, int, int, int, int]]
    failures: Mapping[str, int] = field(default_factory=dict)
    queues: Mapping[str, Instances] | None = field(default_factory=dict)

    @classmethod
    def read(cls, url: str, metrics_url: str | None) -> Self:
        """Ask a running Triton; `url` is host:port of its gRPC API, `metrics_url` its metrics page, if that is known."""
        with grpc.InferenceServerClient(url) as client:
            return cls.parse(client.get_inference_statistics(as_json=True), read_counts(metrics_url) if metrics_url else None)

    @classmethod
    def parse(cls, answer: Mapping[str, Any], queues: Mapping[str, Instances] | None) -> Self:
        """Read the API's JSON, in which numbers are strings and zeros are left out."""
        models = answer.get("model_stats", ())
        return cls({model["name"]: _counters(model) for model in models}, {model["name"]: _failures(model) for model in models}, queues)

    @classmethod
    def read_settled(cls, url: str, metrics_url: str | None) -> Self:
        """As `read`, when all that was answered is counted: Triton counts after it has answered, our queues somewhat later. Waits while
        the counters change, at most `SETTLED_SECONDS`, for others may keep the server busy."""
        deadline, last = time.monotonic() + SETTLED_SECONDS, cls.read(url, metrics_url)
        while time.monotonic() < deadline:
            time.sleep(STILL_SECONDS)
            now = cls.read(url, metrics_url)
            if (now.counters, now.queues) == (last.counters, last.queues):
                return now
            last = now
        return last

    def until(self, later: "TritonStats") -> dict[str, ModelUse]:
        """What happened between two readings, for models that answered something."""
        uses = {}
        for model, counts in later.counters.items():
            before = self.counters.get(model, (0,) * 5)
            requests, inferences, executions, queue, compute = (a - b for a, b in zip(counts, before, strict=True))
            if not requests:
                continue
            queue_ms, compute_ms = queue / requests / 1e6, compute / requests / 1e6
            if instances := (later.queues or {}).get(model):
                own = counted_between((self.queues or {}).get(model, {}), instances)
                queue_ms += own.per_request_ms(own.queue_seconds)  # Triton's own queue comes before ours: a queue delay is there
                uses[model] = ModelUse(requests, own.mean_batch, queue_ms, own.per_request_ms(own.compute_seconds), inferences)
            else:
                known = executions and later.queues is not None  # ensembles execute nothing themselves
                uses[model] = ModelUse(requests, inferences / executions if known else 0.0, queue_ms, compute_ms, inferences)
        return uses

    def failed(self, later: "TritonStats", model: str) -> int:
        """Requests to a model that were not answered between two readings."""
        return later.failures.get(model, 0) - self.failures.get(model, 0)


def _counters(model: Mapping[str, Any]) -> tuple[int, int, int, int, int]:
    durations = model.get("inference_stats", {})

    def ns(name: str) -> int:
        return int(durations.get(name, {}).get("ns", 0))

    requests = int(durations.get("success", {}).get("count", 0))
    compute = ns("compute_input") + ns("compute_infer") + ns("compute_output")
    return requests, int(model.get("inference_count", 0)), int(model.get("execution_count", 0)), ns("queue"), compute


def _failures(model: Mapping[str, Any]) -> int:
    return int(model.get("inference_stats", {}).get("fail", {}).get("count", 0))
