"""What every model of a server is doing: repository index, configs, statistics and metrics -> one row per model."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from triptych import on_demand
from triptych.metrics import Metrics, MetricsUnreachable
from triptych.transport.failures import cleaned

NOT_LOADED = "NOT LOADED"
IDLE = "IDLE"
_UNLOADED = "unloaded"  # Triton's reason
INDEX_CLOSED = "only ready models are listed: the server keeps its repository index to those with the control key"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model. None stands for what does not apply (an ensemble has no device) or is not known (see the note)."""

    name: str
    state: str  # READY, LOADING, UNLOADING, UNAVAILABLE, NOT LOADED, or IDLE
    reason: str | None = None  # why it is not ready
    profile: str | None = None
    device_requested: str | None = None
    device_actual: str | None = None
    precision: str | None = None
    instances: int | None = None
    mean_batch: float | None = None  # rows per run, since the start
    p50_ms: float | None = None  # median of recent requests, queueing included
    count: int | None = None  # inferences since the start; answers from the response cache are not among them
    fallback: bool = False  # whether an instance did not get the device or precision it was asked to run with

    @property
    def ready(self) -> bool:
        return self.state == "READY"

    @property
    def left_out(self) -> bool:
        """Whether it was never asked to load, as models without weights are."""
        return self.state == NOT_LOADED

    @property
    def idle(self) -> bool:
        """Whether it was unloaded because nobody asked for it, until somebody does."""
        return self.state == IDLE

    @property
    def waiting(self) -> bool:
        """Whether it was asked to load and is not ready."""
        return not (self.ready or self.left_out or self.idle)


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """Every model by name; `note` says why something is missing, such as metrics that cannot be read.

    `ready` is the server's own word for itself and all models that it was to load, which counts where its index is closed; `blind` says
    why it is not known on what device models run.
    """

    models: tuple[ModelStatus, ...]
    note: str | None = None
    ready: bool = True
    blind: str | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence for each thing that is not as it was asked for: a model that is not ready, or runs on another device or in another
        precision; empty when all is well."""
        waiting = [f"{model.name} is {model.state}" + f" ({model.reason})" * bool(model.reason) for model in self if model.waiting]
        elsewhere = [
            f"{model.name} was to run on {model.device_requested}, and runs on {model.device_actual} in {model.precision}"
            for model in self
            if model.ready and model.fallback
        ]
        if not any(model.ready for model in self):
            waiting.append("no model is ready")
        changing = any(model.name == on_demand.MODEL and model.ready for model in self)  # idle models come and go, Triton is not ready then
        if not self.ready and not waiting and not changing:
            waiting.append("the server says that it is not ready; its log says why")
        unknown = [f"it is not known what the models run on ({self.blind})"] if self.blind else []
        return (*waiting, *elsewhere, *unknown)

    def __iter__(self) -> Iterator[ModelStatus]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)


def ready_models(index: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the models whose configuration can be asked for."""
    return sorted({entry["name"] for entry in index if entry.get("state") == "READY"})


def index_of_ready(statistics: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A substitute for the repository index where the server keeps it to itself: statistics name the ready models."""
    return [{"name": row["name"], "state": "READY"} for row in statistics]


def server_status(
    index: Iterable[Mapping[str, Any]],
    configs: Mapping[str, Mapping[str, Any]],
    statistics: Iterable[Mapping[str, Any]],
    metrics: Metrics | MetricsUnreachable,
    *notes: str,
    ready: bool = True,
) -> ServerStatus:
    """Join Triton's five sources; numbers may be ints (HTTP) or decimal strings (gRPC)."""
    page, blind = (metrics, None) if isinstance(metrics, Metrics) else (Metrics(), str(metrics))
    entries: dict[str, Mapping[str, Any]] = {}
    for entry in index:  # several versions: a ready one speaks for the model
        if entries.get(entry["name"], {}).get("state") != "READY":
            entries[entry["name"]] = entry
    if entries.get(on_demand.MODEL, {}).get("state") == "READY":
        entries = {name: _idle(entry) for name, entry in entries.items()}
    counts: dict[str, tuple[int, int]] = {}
    for row in statistics:
        inferences, executions = counts.get(row["name"], (0, 0))
        inferences += int(row.get("inference_count", 0))
        counts[row["name"]] = (inferences, executions + int(row.get("execution_count", 0)))
    batches = {} if blind else {**counts, **page.batches}  # Triton counts the batches of native backends only
    rows = (_row(entries[name], configs.get(name), counts.get(name), batches.get(name), page) for name in sorted(entries))
    return ServerStatus(tuple(rows), "; ".join((*notes, *filter(None, [blind]))) or None, ready, blind)


def _idle(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was unloaded is only idle where models are loaded on demand."""
    unloaded = entry.get("state") == "UNAVAILABLE" and entry.get("reason") == _UNLOADED
    return {"name": entry["name"], "state": IDLE, "reason": "it is loaded when somebody asks for it"} if unloaded else entry


def _row(
    entry: Mapping[str, Any],
    config: Mapping[str, Any] | None,
    counts: tuple[int, int] | None,
    batches: tuple[float, float] | None,
    metrics: Metrics,
) -> ModelStatus:
    name = entry["name"]
    devices = metrics.devices.get(name, [])
    ensemble = config is not None and (config.get("platform") == "ensemble" or "ensemble_scheduling" in config)
    rows, runs = batches or (0, 0)
    p50_us = metrics.p50_us.get(name)
    return ModelStatus(
        name=name,
        state=entry.get("state") or NOT_LOADED,
        reason=_reason(entry),
        profile=_joined(devices, "profile") or _parameter(config, "profile"),
        device_requested=_joined(devices, "requested"),
        device_actual=_joined(devices, "actual"),
        precision=_joined(devices, "precision"),
        instances=None if config is None or ensemble else _instances(config),
        mean_batch=rows / runs if runs and not ensemble else None,
        p50_ms=None if p50_us is None else p50_us / 1000,
        count=None if counts is None else counts[0],
        fallback=name in metrics.fallbacks,
    )


def _reason(entry: Mapping[str, Any]) -> str | None:
    if entry.get("state") == "READY":
        return None
    if not entry.get("state"):
        return "it was not loaded; if it should have been, the server's log says why"
    return cleaned(entry.get("reason", "")).removeprefix("Internal: ").split("\n")[0] or None


def _joined(devices: Iterable[Mapping[str, str]], label: str) -> str | None:
    return ", ".join(sorted({labels[label] for labels in devices if labels.get(label)})) or None


def _parameter(config: Mapping[str, Any] | None, name: str) -> str | None:
    value = (config or {}).get("parameters", {}).get(name, {}).get("string_value")
    return str(value) if value else None


def _instances(config: Mapping[str, Any]) -> int | None:
    groups = config.get("instance_group", [])
    return sum(int(group.get("count", 1)) * max(1, len(group.get("gpus", []))) for group in groups) or None
