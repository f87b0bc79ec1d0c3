"""The sweep: every point of load, run after run, by perf_analyzer; around each measurement the clocks and counters of the server."""

import os
import resource
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.benchmark.cpu import CpuClock, CpuUse
from triptych_server.benchmark.machine import usable_cores
from triptych_server.benchmark.memory import MemoryWatch
from triptych_server.benchmark.perf_analyzer import PerfAnalyzer, PerfLoad
from triptych_server.benchmark.perf_input import has_fixed_sizes, write_input
from triptych_server.benchmark.results import Point, Run, with_problem, with_run
from triptych_server.benchmark.served import Served
from triptych_server.benchmark.triton_stats import TritonStats
from triptych_server.errors import ConfigError, EngineError

CLIENT = "perf_analyzer"
WARM_UP_MS = 500
QUEUES_FULL = ("Exceeds maximum queue size", "requests waiting already")  # Triton's words and ours
Progress = Callable[[int, int, Point, str], None]
"""How many measurements are done, of how many, which was the last, and what came."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which loads, how long and how often: `seconds` is the length of a window, of which each run takes three to `most_windows`, until they
    agree within `stability` percent. ConfigError for a plan of nothing."""

    concurrency: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    rates: tuple[float, ...] = ()
    shared_memory: bool = False
    seconds: float = 2.0
    runs: int = 3
    stability: float = 10.0
    most_windows: int = 6

    def __post_init__(self) -> None:
        if not self.concurrency and not self.rates:
            raise ConfigError("there is nothing to measure: neither requests in flight nor rates were named")
        if min((*self.concurrency, *self.rates)) <= 0:
            raise ConfigError("requests in flight and rates must be above 0")
        if self.runs < 1 or self.seconds <= 0:
            raise ConfigError(f"{self.runs} runs in windows of {self.seconds:g} s; expected more than 0")

    def points(self, configs: Sequence[ModelConfig]) -> tuple[list[Point], list[str]]:
        """Every load on every model, and sentences on what cannot be."""
        found, left_out = list[Point](), list[str]()
        for config in configs:
            found += [Point(config.name, "concurrency", level) for level in self.concurrency]
            found += [Point(config.name, "rate", rate) for rate in self.rates]
            if self.shared_memory and has_fixed_sizes(config):
                found += [Point(config.name, "concurrency", level, shared_memory=True) for level in self.concurrency]
            elif self.shared_memory:
                left_out.append(f"{config.name} through shared memory: its tensors have no fixed size.")
        return found, left_out


@dataclass(slots=True)
class Sweep:
    """Measures `points` in place, so that what was measured is there whenever it is interrupted."""

    perf: PerfAnalyzer
    served: Served
    plan: Plan
    jpegs: Sequence[bytes]
    points: list[Point] = field(default_factory=list)
    configs: dict[str, ModelConfig] = field(default_factory=dict)

    def prepare(self, models: Sequence[str]) -> list[str]:
        """Find the points; returns sentences on what will not be measured."""
        self.configs = {model: self.served.config(model) for model in models}
        self.points, left_out = self.plan.points(list(self.configs.values()))
        return left_out

    def run(self, progress: Progress) -> None:
        """All points once, then all again: what drifts on the machine shows as spread, instead of as a difference between points."""
        for model in self.configs:
            self._warm_up(model)
        self._settled()
        total = len(self.points) * self.plan.runs
        for turn in range(self.plan.runs):
            for number, point in enumerate(self.points):
                try:
                    run = self._measure(point)
                except EngineError as error:
                    self.points = with_problem(self.points, number, str(error))
                    came = str(error)
                else:
                    self.points = with_run(self.points, number, run)
                    came = f"{run.throughput:.1f}/s, p50 {run.p50_ms:.1f} ms, p95 {run.p95_ms:.1f} ms{'' if run.stable else ', not stable'}"
                progress(turn * len(self.points) + number + 1, total, point, came)

    def _warm_up(self, model: str) -> None:
        """Graphs compile at their first batches, allocators grow. What fails here fails again where it is written down."""
        load = PerfLoad(concurrency=max(self.plan.concurrency, default=4), window_ms=WARM_UP_MS, write_input=self._input(model))
        with suppress(EngineError):
            self.perf.measure(model, self.served.url, load)

    def _input(self, model: str) -> Callable[[Path], Path | None]:
        return partial(write_input, self.configs[model], self.jpegs)

    def _settled(self) -> TritonStats:
        """After each load, or its last answers would be counted with the next."""
        return TritonStats.read_settled(self.served.url, self.served.metrics_url)

    def _measure(self, point: Point) -> Run:
        load = PerfLoad(
            concurrency=int(point.level) if point.kind == "concurrency" else None,
            rate=point.level if point.kind == "rate" else None,
            window_ms=round(1000 * self.plan.seconds),
            stability=self.plan.stability,
            most_windows=self.plan.most_windows,
            write_input=self._input(point.model),
            shared_memory=point.shared_memory,
        )
        pid = self.served.pid
        with MemoryWatch(pid) if pid else nullcontext() as memory:
            stats = TritonStats.read(self.served.url, self.served.metrics_url)
            clock = _Clock.read(pid) if pid else None
            try:
                report = self.perf.measure(point.model, self.served.url, load)
            except EngineError as error:
                raise EngineError(_reason(error, stats.failed(self._settled(), point.model))) from None
            use = clock.until(_Clock.read(clock.pid)) if clock else None
            later = self._settled()
        models = stats.until(later)
        run = Run(
            report.throughput,
            report.p50_us / 1e3,
            report.p90_us / 1e3,
            report.p95_us / 1e3,
            report.p99_us / 1e3,
            report.stable,
            stats.failed(later, point.model),
            models,
        )
        if use is None or memory is None or point.model not in models:
            return run
        peak, answers = memory.peak, models[point.model].requests
        return replace(
            run,
            cpu_ms={role: 1e3 * spent / answers for role, spent in use.seconds.items() if spent > 0},
            idle_share=use.idle_share(usable_cores()),
            others_share=use.others_share(usable_cores()),
            rss_mib=peak.rss,
            pss_mib=peak.pss,
            shm_mib=peak.shm,
        )


@dataclass(frozen=True, slots=True)
class _Clock:
    """The server's processes, and perf_analyzer's time once it has ended."""

    pid: int
    server: CpuClock
    client: float

    @classmethod
    def read(cls, pid: int) -> "_Clock":
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cls(pid, CpuClock.read({"tritonserver": pid}), spent.ru_utime + spent.ru_stime)

    def until(self, later: "_Clock") -> CpuUse:
        use = self.server.until(later.server)
        return replace(use, seconds={**use.seconds, CLIENT: later.client - self.client})


def _reason(error: EngineError, failed: int) -> str:
    """Why a point has no figures; refusals are told apart from failures by Triton's word for them."""
    text = str(error)
    if any(words in text for words in QUEUES_FULL):
        counted = f"{failed} requests" if failed else "requests"  # Triton counts those of ensembles only
        return f"shed: {counted} were turned away because a queue was full; perf_analyzer ends at the first"
    return text.replace(os.linesep, " ")
