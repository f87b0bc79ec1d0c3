"""What Triton counted between two moments: its statistics API -> mean batch, queue and compute time per model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tritonclient import grpc


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
    the requests that failed, those turned away included."""

    counters: Mapping[str, tuple[int, int, int, int, int]]
    failures: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, url: str) -> Self:
        """Ask a running Triton; `url` is host:port of its gRPC API."""
        with grpc.InferenceServerClient(url) as client:
            return cls.parse(client.get_inference_statistics(as_json=True))

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> Self:
        """Read the API's JSON, in which numbers are strings and zeros are left out."""
        models = answer.get("model_stats", ())
        return cls({model["name"]: _counters(model) for model in models}, {model["name"]: _failures(model) for model in models})

    def until(self, later: "TritonStats") -> dict[str, ModelUse]:
        """What happened between two readings, for models that answered something."""
        uses = {}
        for model, counts in later.counters.items():
            before = self.counters.get(model, (0,) * 5)
            requests, inferences, executions, queue, compute = (a - b for a, b in zip(counts, before, strict=True))
            if requests:
                mean_batch = inferences / executions if executions else 0.0  # ensembles execute nothing themselves
                uses[model] = ModelUse(requests, mean_batch, queue / requests / 1e6, compute / requests / 1e6, inferences)
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
