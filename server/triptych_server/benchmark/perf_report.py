"""What perf_analyzer says of one level of load: its CSV, read by the names of the columns."""

import csv
from dataclasses import dataclass, replace
from io import StringIO
from typing import Self

from triptych_server.errors import EngineError

LEVELS = ("Concurrency", "Request Rate")
COLUMNS = {
    "throughput": "Inferences/Second",
    "network_us": "Network+Server Send/Recv",
    "queue_us": "Server Queue",
    "compute_input_us": "Server Compute Input",
    "compute_infer_us": "Server Compute Infer",
    "compute_output_us": "Server Compute Output",
    "p50_us": "p50 latency",
    "p90_us": "p90 latency",
    "p95_us": "p95 latency",
    "p99_us": "p99 latency",
}


@dataclass(frozen=True, slots=True)
class PerfReport:
    """One row of the CSV: `level` is requests in flight or requests per second as asked for; times are means per request in microseconds
    but for the named percentiles. `stable`: whether perf_analyzer's criterion was met."""

    level: float
    throughput: float
    network_us: float
    queue_us: float
    compute_input_us: float
    compute_infer_us: float
    compute_output_us: float
    p50_us: float
    p90_us: float
    p95_us: float
    p99_us: float
    stable: bool = True

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a CSV of one level; EngineError when a column is missing or nothing was measured."""
        rows = list(csv.DictReader(StringIO(text)))
        if len(rows) != 1:
            raise EngineError(f"perf_analyzer's CSV has {len(rows)} rows, one level of load was asked for")
        if missing := set(COLUMNS.values()) - rows[0].keys():
            raise EngineError(f"perf_analyzer's CSV has no column {', '.join(sorted(missing))}")
        level = next((rows[0][name] for name in LEVELS if name in rows[0]), None)
        if level is None:
            raise EngineError(f"perf_analyzer's CSV has no column {' or '.join(LEVELS)}")
        figures = {field: float(rows[0][name]) for field, name in COLUMNS.items()}
        return cls(level=float(level), stable=True, **figures)

    def unstable(self) -> "PerfReport":
        """The same, marked."""
        return replace(self, stable=False)
