"""A metrics page over HTTP -> what the status needs of it: devices, median latencies and batches per model."""

import math
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from triptych.prometheus import Sample, parse

DEVICE_INFO = "triptych_device_info"
LATENCY = "nv_inference_request_summary_us"
RUNS, ROWS = "triptych_runs_total", "triptych_rows_total"


class MetricsUnreachable(Exception):  # noqa: N818
    """The metrics page cannot be had; the text says why. The status still shows the rest."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """`devices`: labels of every model instance; `fallbacks`: models of which an instance did not get what it asked for;
    `p50_us`: median request latency of models that were used; `batches`: rows and runs of models that make their batches themselves."""

    devices: Mapping[str, list[Mapping[str, str]]] = field(default_factory=dict)
    p50_us: Mapping[str, float] = field(default_factory=dict)
    fallbacks: frozenset[str] = frozenset()
    batches: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> "Metrics":
        devices: dict[str, list[Mapping[str, str]]] = {}
        p50_us: dict[str, float] = {}
        fallbacks: set[str] = set()
        batches: dict[str, tuple[float, float]] = {}
        for sample in samples:
            model = sample.labels.get("model", "")
            if sample.name == DEVICE_INFO:
                if sample.value == 0:
                    fallbacks.add(model)
                devices.setdefault(model, []).append(sample.labels)
            elif sample.name in (RUNS, ROWS):
                rows, runs = batches.get(model, (0.0, 0.0))
                batches[model] = (rows, runs + sample.value) if sample.name == RUNS else (rows + sample.value, runs)
            elif sample.name == LATENCY and sample.labels.get("quantile") == "0.5" and not math.isnan(sample.value):
                p50_us[model] = max(sample.value, p50_us.get(model, 0.0))  # of several versions, the slowest
        return cls(devices, p50_us, frozenset(fallbacks), batches)


def fetch(url: str, timeout: float) -> Metrics:
    """Read a page such as `http://127.0.0.1:8002/metrics`, without any proxy; raises MetricsUnreachable."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise MetricsUnreachable(f"{url!r} is no metrics address; write it like http://host:8002/metrics")
    page = url if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}/metrics"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(page, timeout=timeout) as answer:
            return Metrics.of(parse(answer.read().decode("utf-8")))
    except HTTPError as error:
        raise MetricsUnreachable(f"no metrics at {page}: HTTP {error.code}") from None
    except URLError as error:
        reason = error.reason
        text = reason.strerror if isinstance(reason, OSError) else None
        raise MetricsUnreachable(f"no metrics at {page}: {text or reason}") from None
    except HTTPException as error:
        raise MetricsUnreachable(f"no metrics at {page}: the answer broke off ({error!r})") from None
    except OSError as error:
        raise MetricsUnreachable(f"no metrics at {page}: {error.strerror or error or type(error).__name__}") from None
    except ValueError as error:
        raise MetricsUnreachable(f"{page} is no metrics page: {error}") from None


def fetched(url: str, timeout: float) -> Metrics | MetricsUnreachable:
    """`fetch`, with the reason as a value: a status without metrics is still a status."""
    try:
        return fetch(url, timeout)
    except MetricsUnreachable as error:
        return error
