"""The whole benchmark: serve (or find a server), sweep, compare answers with f32, gather the facts -> a report, also when interrupted."""

import dataclasses
import datetime
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from triptych_server.benchmark.agreement import agreements
from triptych_server.benchmark.machine import describe_machine, describe_versions
from triptych_server.benchmark.perf_analyzer import WINDOWS, PerfAnalyzer
from triptych_server.benchmark.photos import Corpus
from triptych_server.benchmark.results import Agreement, Point, Report
from triptych_server.benchmark.served import Served, listener
from triptych_server.benchmark.sweep import Plan, Progress, Sweep
from triptych_server.engine import Engine, EngineOptions
from triptych_server.errors import EngineError
from triptych_server.repository import Repository

FACE_NETWORK = "face_recognition"
LEAST_RUNS = 3


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What to measure: a running server at `url` (host:port of gRPC), or the repository under `profile` on a Triton of its own."""

    corpus: Corpus
    models: tuple[str, ...] = ()
    profile: str | None = None
    url: str | None = None
    metrics_url: str | None = None
    repository: Repository | None = None
    plan: Plan = field(default_factory=Plan)


def bench(options: BenchOptions, say: Callable[[str], None], progress: Progress) -> Report:
    """Measure. Ctrl-C ends it early, with a report of what was measured until then; EngineError when nothing was."""
    perf = PerfAnalyzer.find()  # first: nothing is started where there is none
    begun, moment = datetime.datetime.now(datetime.UTC), time.monotonic()
    facts = _facts(options, perf, begun)
    with _served(options, say) as served:
        sweep = Sweep(perf, served, options.plan, options.corpus.jpegs)
        not_measured, alike, complete = list[str](), list[Agreement](), True
        try:
            models = served.ready(_wanted(options, served))
            not_measured += sweep.prepare(models)
            say(f"{', '.join(models)}: {len(sweep.points)} loads, {options.plan.runs} runs of each")
            networks = served.networks(models)
            facts |= {"devices": served.devices(), "weights": served.weights(networks)}
            alike, left_out = agreements(served.url, networks, served.repository, options.corpus.jpegs)
            not_measured += left_out
            sweep.run(progress)
        except KeyboardInterrupt:
            complete = False
            say("interrupted; what was measured is kept")
        facts["seconds"] = round(time.monotonic() - moment)
        if not any(point.runs for point in sweep.points):
            raise EngineError(f"nothing was measured: {_first_problem(sweep.points)}")
        not_measured += _unknown(options, served, facts) + _unseen(sweep.points)
    return Report(facts, tuple(sweep.points), tuple(alike), tuple(not_measured), complete)


@contextmanager
def _served(options: BenchOptions, say: Callable[[str], None]) -> Iterator[Served]:
    if options.url is not None:
        yield Served(options.url, listener(options.url), options.repository, options.metrics_url)
        return
    repository = options.repository or Repository.locate()
    profile = options.profile or "cpu"
    say(f"starting Triton with the profile {profile}")
    shared = options.plan.shared_memory
    with Engine(
        EngineOptions(repository, profile=profile, http_port=0, grpc_port=0, metrics_port=0, client_shared_memory=shared)
    ) as engine:
        yield Served(engine.grpc_url.removeprefix("grpc://"), engine.pid, repository, engine.metrics_url, profile)


def _wanted(options: BenchOptions, served: Served) -> Sequence[str]:
    """With shared memory and no model named, the network of `search_image` too: the ensembles' tensors have no fixed size."""
    if options.models or not options.plan.shared_memory:
        return options.models
    return [*served.ready(()), *served.ready(("clip_visual",))]


def _facts(options: BenchOptions, perf: PerfAnalyzer, begun: datetime.datetime) -> dict[str, Any]:
    corpus, plan = options.corpus, options.plan
    return {
        "begun": begun.isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "versions": {**describe_versions(), "perf_analyzer": perf.source},
        "profile": None if options.url else options.profile or "cpu",
        "url": options.url,
        "corpus": {"source": corpus.source, "photos": len(corpus.jpegs), "mean_bytes": round(corpus.mean_bytes), "digest": corpus.digest},
        "plan": dataclasses.asdict(plan),
        "method": _method(plan),
    }


def _method(plan: Plan) -> str:
    rates = " perf_analyzer draws the same Poisson arrivals each time, and fewer of them in a short window." if plan.rates else ""
    return (
        f"{plan.runs} runs of every load, all loads in turn. A run takes windows of {plan.seconds:g} s, {plan.most_windows} at most, until "
        f"{WINDOWS} in a row lie within {plan.stability:g} % of each other in throughput and in mean latency (perf_analyzer's "
        f"--stability-percentage); its figures are of these {WINDOWS}. A run whose windows did not agree is marked; its figures are of "
        f"{WINDOWS} windows more, as they came.{rates}"
    )


def _unknown(options: BenchOptions, served: Served, facts: dict[str, Any]) -> list[str]:
    """What a server that somebody else started does not tell."""
    found = []
    if served.pid is None:
        found.append("CPU time, memory and /dev/shm: the server's process is on another machine, or another user's.")
    if not facts.get("devices"):
        found.append("Devices and precisions: the metrics page cannot be read, or its networks run in Triton's native backends.")
    if options.url is not None:
        found.append("Profile: the server was started by somebody else.")
    if not options.plan.rates:
        found.append("Request rates: none was asked for (--rate).")
    if not options.plan.shared_memory:
        found.append("Shared memory: not asked for (--shared-memory).")
    if options.plan.runs < LEAST_RUNS:
        found.append(f"Spread: {options.plan.runs} runs; {LEAST_RUNS} are the least that show one.")
    found.append("GPU use and power: read them from the maker's tools (nvidia-smi, intel_gpu_top, rocm-smi) meanwhile.")
    return found


def _unseen(points: Sequence[Point]) -> list[str]:
    """What the load did not reach."""
    runs = [run for point in points if point.model == "faces" for run in point.runs]
    if runs and not any(FACE_NETWORK in run.models for run in runs):
        return [f"{FACE_NETWORK}: no picture showed a face; --photos names a folder of photos that do."]
    return []


def _first_problem(points: Sequence[Point]) -> str:
    return next((problem for point in points for problem in point.problems), "it was interrupted before the first figure")
