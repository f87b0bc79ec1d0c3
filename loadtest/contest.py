"""Measuring in turns: two running services and a plan -> series of figures, ours and the baseline's, taken one after the other."""

from dataclasses import dataclass

from rich.console import Console

from loadtest.benchmark_app import BenchmarkApp, Hint, run_benchmark_app
from loadtest.connections import Task
from loadtest.loads import LoadRun, Photos, run_load
from loadtest.services import Service, TritonService
from triptych_server.benchmark.perf_analyzer import PerfAnalyzer

BATCH = 16
VISUAL_IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """How often and for how many seconds each thing is measured."""

    repeats: int
    face_repeats: int  # of each of the many cases of faces
    face_seconds: float
    warm_up: float
    seconds: float
    rounds: int  # of decoding the whole corpus


FULL = Plan(repeats=5, face_repeats=3, face_seconds=5, warm_up=2, seconds=10, rounds=10)
QUICK = Plan(repeats=2, face_repeats=1, face_seconds=3, warm_up=1.5, seconds=4, rounds=4)


@dataclass(frozen=True, slots=True)
class Contest:
    """Both services, running."""

    plan: Plan
    ours: TritonService
    plain: Service
    console: Console

    def visual(self, perf: PerfAnalyzer) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Images per second of clip_visual over gRPC and of the bare runtime."""
        window_ms = round(1000 * self.plan.seconds / 3)
        perf.run("clip_visual", self.ours.url, VISUAL_IN_FLIGHT, round(1000 * self.plan.warm_up / 3))
        ours, bare = [], []
        self.console.log(f"measuring clip_visual, benchmark_app: {self.plan.repeats} turns")
        for _ in range(self.plan.repeats):
            ours.append(perf.run("clip_visual", self.ours.url, VISUAL_IN_FLIGHT, window_ms).throughput)
            bare.append(self.runtime("clip_visual", BATCH, "throughput").throughput)
        return tuple(ours), tuple(bare)

    def runtime(self, network: str, batch: int, hint: Hint) -> BenchmarkApp:
        """The bare runtime on a served graph; RuntimeError when it computes in another precision than ours does."""
        result = run_benchmark_app(self.ours.graph(network), batch, hint, round(self.plan.seconds))
        if result.precision != self.ours.precision(network):
            raise RuntimeError(f"{network} runs in {self.ours.precision(network)}, benchmark_app in {result.precision}: no fair comparison")
        return result

    def loads(self, one: Task, other: Task, photos: Photos, concurrency: int, at_least: float = 0) -> tuple[list[LoadRun], list[LoadRun]]:
        """Both tasks in turns, `concurrency` photos in flight, for `at_least` so many seconds; plain ones go to the plain service."""
        repeats, seconds = self.plan.repeats, self.plan.seconds
        if photos.faces is not None:
            repeats, seconds = self.plan.face_repeats, max(self.plan.face_seconds, at_least)
        of_whom = "" if photos.faces is None else f" of {photos.faces} faces"
        self.console.log(f"measuring {one}, {other}, {concurrency} photos{of_whom} in flight: {repeats} turns")
        runs: tuple[list[LoadRun], list[LoadRun]] = ([], [])
        for _ in range(repeats):
            for task, taken in zip((one, other), runs, strict=True):
                service = self.plain if task.startswith("plain") else self.ours
                taken.append(run_load(task, service, photos, concurrency, self.plan.warm_up, seconds))
        return runs
