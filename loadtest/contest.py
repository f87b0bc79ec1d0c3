"""Measuring in turns: two running services and a plan -> series of figures, ours and the baseline's, taken one after the other."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from loadtest.benchmark_app import BenchmarkApp, Hint, run_benchmark_app
from loadtest.loads import LoadRun, run_load
from loadtest.perf_analyzer import PerfAnalyzer
from loadtest.services import Service, TritonService

BATCH = 16
VISUAL_IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """How often and for how many seconds each thing is measured."""

    repeats: int
    warm_up: float
    seconds: float
    rounds: int  # of decoding the whole corpus


FULL = Plan(repeats=5, warm_up=2, seconds=10, rounds=10)
QUICK = Plan(repeats=2, warm_up=1.5, seconds=4, rounds=4)


@dataclass(frozen=True, slots=True)
class Contest:
    """Both services, running, and the folder of photos they are sent."""

    plan: Plan
    ours: TritonService
    plain: Service
    photos: Path
    console: Console

    def visual(self, perf: PerfAnalyzer) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Images per second of clip_visual over gRPC and of the bare runtime."""
        window_ms = round(1000 * self.plan.seconds / 3)
        perf.run("clip_visual", self.ours.url, VISUAL_IN_FLIGHT, round(1000 * self.plan.warm_up / 3))
        ours, bare = [], []
        for _ in self._turns("clip_visual, benchmark_app"):
            ours.append(perf.run("clip_visual", self.ours.url, VISUAL_IN_FLIGHT, window_ms).throughput)
            bare.append(self.runtime(BATCH, "throughput").throughput)
        return tuple(ours), tuple(bare)

    def runtime(self, batch: int, hint: Hint) -> BenchmarkApp:
        """The bare runtime on the served graph; RuntimeError when it computes in another precision than ours does."""
        result = run_benchmark_app(self.ours.graph, batch, hint, round(self.plan.seconds))
        if result.precision != self.ours.precision:
            raise RuntimeError(f"clip_visual runs in {self.ours.precision}, benchmark_app in {result.precision}: no fair comparison")
        return result

    def search(self, concurrency: int) -> tuple[list[LoadRun], list[LoadRun]]:
        """search_image and the plain service, `concurrency` photos in flight."""
        ours, plain = [], []
        for _ in self._turns(f"search_image, plain service, {concurrency} in flight"):
            ours.append(run_load(self.ours, self.photos, concurrency, self.plan.warm_up, self.plan.seconds))
            plain.append(run_load(self.plain, self.photos, concurrency, self.plan.warm_up, self.plan.seconds))
        return ours, plain

    def _turns(self, what: str) -> range:
        self.console.log(f"measuring {what}: {self.plan.repeats} turns")
        return range(self.plan.repeats)
