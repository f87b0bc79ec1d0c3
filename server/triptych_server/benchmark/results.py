"""What a benchmark found: points of load, each measured in several runs, and the report they stand in; to JSON and back."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from triptych_server.benchmark.triton_stats import ModelUse
from triptych_server.errors import ConfigError

FILE = "report.json"
FORMAT = 1
Kind = Literal["concurrency", "rate"]


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement: `throughput` in answers per second, the client's latencies, whether the windows agreed, and how many requests Triton
    counted as failed; `models`: what each model below counted.

    Of a server on this machine: CPU milliseconds per answer by process, the shares of all cores' time that were idle or taken by unrelated
    processes, and the peaks of memory: `rss_mib` counts pages that processes share in each, `pss_mib` once, `shm_mib` is in /dev/shm."""

    throughput: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    stable: bool
    refused: int = 0
    models: Mapping[str, ModelUse] = field(default_factory=dict)
    cpu_ms: Mapping[str, float] = field(default_factory=dict)
    idle_share: float | None = None
    others_share: float | None = None
    rss_mib: float | None = None
    pss_mib: float | None = None
    shm_mib: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A load on a model: `level` requests in flight, or per second with Poisson arrivals. `problems`: why runs are missing."""

    model: str
    kind: Kind
    level: float
    shared_memory: bool = False
    runs: tuple[Run, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, float, bool]:
        """The same in two reports: the same load."""
        return self.model, self.kind, self.level, self.shared_memory

    @property
    def load(self) -> str:
        """In words."""
        words = f"{self.level:g} in flight" if self.kind == "concurrency" else f"{self.level:g}/s, Poisson"
        return f"{words}, shared memory" if self.shared_memory else words

    @property
    def stable(self) -> bool:
        """Whether every run was, and none is missing."""
        return bool(self.runs) and not self.problems and all(run.stable for run in self.runs)

    @property
    def typical(self) -> Run:
        """The run of median throughput, for what is shown of one run only."""
        return sorted(self.runs, key=lambda run: run.throughput)[len(self.runs) // 2]

    @property
    def parts(self) -> Mapping[str, ModelUse]:
        """What each model counted in the typical run. An ensemble is left out beside its steps: it has no queue and no batch, and
        Triton counts as its time how long the steps took to take requests over."""
        models = self.typical.models
        return {name: use for name, use in models.items() if name != self.model or len(models) == 1}

    def values(self, figure: str) -> tuple[float, ...]:
        """One figure of every run in which it was measured."""
        found = (getattr(run, figure) for run in self.runs)
        return tuple(value for value in found if value is not None)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How near a served network's answers are to the same graph in f32 under onnxruntime, on the same input: the smallest and the mean
    cosine over `samples`."""

    network: str
    samples: int
    smallest: float
    mean: float


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one benchmark found. `facts`: machine, versions, profile, devices, corpus, method; `not_measured`: sentences."""

    facts: Mapping[str, Any]
    points: tuple[Point, ...]
    agreements: tuple[Agreement, ...] = ()
    not_measured: tuple[str, ...] = ()
    complete: bool = True

    @property
    def models(self) -> list[str]:
        """Those that were asked, in that order."""
        return list(dict.fromkeys(point.model for point in self.points))

    def of(self, model: str, kind: Kind, *, shared_memory: bool = False) -> list[Point]:
        """A model's measured points of one kind, by rising level."""
        wanted = [p for p in self.points if (p.model, p.kind, p.shared_memory) == (model, kind, shared_memory) and p.runs]
        return sorted(wanted, key=lambda point: point.level)

    def save(self, folder: Path) -> Path:
        """Write report.json."""
        file = folder / FILE
        content = {"format": FORMAT, **dataclasses.asdict(self)}
        file.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
        return file

    @classmethod
    def load(cls, place: Path) -> Self:
        """Read one from its folder or its file. ConfigError when there is none, or it is of another kind."""
        file = place / FILE if place.is_dir() else place
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            raise ConfigError(f"{place} holds no report; expected the folder that `triptych bench` wrote, or its {FILE}") from None
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise ConfigError(f"{place} is no report of `triptych bench` of format {FORMAT}; `triptych bench` writes one")
        try:
            points = tuple(_point(each) for each in content["points"])
            agreements = tuple(Agreement(**each) for each in content["agreements"])
            return cls(content["facts"], points, agreements, tuple(content["not_measured"]), content["complete"])
        except (KeyError, TypeError) as error:
            raise ConfigError(f"{place} is damaged: {error}") from None


def with_run(points: Sequence[Point], number: int, run: Run) -> list[Point]:
    """The same points, one with a run more."""
    return [dataclasses.replace(p, runs=(*p.runs, run)) if i == number else p for i, p in enumerate(points)]


def with_problem(points: Sequence[Point], number: int, problem: str) -> list[Point]:
    """The same points, one with the reason why a run is missing."""
    return [dataclasses.replace(p, problems=(*p.problems, problem)) if i == number else p for i, p in enumerate(points)]


def _point(content: Mapping[str, Any]) -> Point:
    runs = tuple(Run(**(run | {"models": {name: ModelUse(**use) for name, use in run["models"].items()}})) for run in content["runs"])
    return Point(**(dict(content) | {"runs": runs, "problems": tuple(content["problems"])}))
