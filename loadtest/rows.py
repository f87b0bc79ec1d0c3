"""The rows of the performance goals: what a contest measured -> ratios, bounds, and where the time of one photo goes."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from loadtest.contest import BATCH, VISUAL_IN_FLIGHT, Contest
from loadtest.loads import CLIENT, LoadRun, Photos
from loadtest.preprocess_cost import PreprocessCost
from loadtest.report import Goal, Row
from triptych_server.benchmark.limits import Limits
from triptych_server.benchmark.machine import usable_cores
from triptych_server.benchmark.perf_analyzer import PerfAnalyzer
from triptych_server.benchmark.series import Series

IN_FLIGHT = 16
OURS, PLAIN = "search_image", "plain service"


def preprocess_rows(cost: PreprocessCost) -> list[Row]:
    """What a 1440 px photo costs to turn into pixels, and how far from the full way both ways are."""
    full = Series("full decode and bicubic", "ms", cost.plain_ms)
    scaled, exact = Series("scaled", "ms", cost.scaled_ms), Series("exact", "ms", cost.exact_ms)
    error = "mean difference from the full way"
    return [
        Row("preprocess_cpu", "preprocessing, CPU time per photo", scaled, full, Goal(5, "<=", "ours")),
        Row("preprocess_cpu_exact", "preprocessing, CPU time per photo", exact, full),
        Row("preprocess_error", error, Series("scaled", "/255", (cost.scaled_error,)), goal=Goal(1, "<=", "ours")),
        Row("preprocess_error_exact", error, Series("exact", "/255", (cost.exact_error,)), goal=Goal(0.05, "<=", "ours")),
    ]


def search_rows(contest: Contest, photos: Path, perf: PerfAnalyzer, cost: PreprocessCost) -> tuple[list[Row], dict[str, Any]]:
    """Measure the rows that need the services, and the facts that explain them."""
    ours, bare = contest.visual(perf)
    visual = Series(f"perf_analyzer, {VISUAL_IN_FLIGHT} in flight", "/s", ours)
    runtime = Series(f"benchmark_app, batch {BATCH}", "/s", bare)
    lone = contest.runtime("clip_visual", 1, "latency").latency_ms
    limits = Limits.of(usable_cores(), median(cost.scaled_ms), runtime.median, lone)
    many, many_plain = contest.loads("search_image", "plain embed", Photos(photos), IN_FLIGHT)
    single, single_plain = contest.loads("search_image", "plain embed", Photos(photos), 1)
    rate, rate_plain = throughputs(OURS, many), throughputs(PLAIN, many_plain)
    wait, wait_plain = latencies(OURS, single), latencies(PLAIN, single_plain)
    bounds = limits.throughput / rate_plain.median, limits.latency_ms / wait_plain.median
    rows = [
        Row("visual_throughput", "images per second, network alone", visual, runtime, Goal(0.90, ">="), 1.0),
        Row("search_throughput", f"photos per second, {IN_FLIGHT} in flight", rate, rate_plain, Goal(7, ">="), bounds[0]),
        Row("search_latency", "median latency, 1 in flight", wait, wait_plain, Goal(0.35, "<="), bounds[1]),
    ]
    rows.append(Row("search_cpu", f"server CPU per photo, {IN_FLIGHT} in flight", _server_cpu(OURS, many), _server_cpu(PLAIN, many_plain)))
    share = rate.median / limits.throughput
    runs = {(OURS, IN_FLIGHT): many, (PLAIN, IN_FLIGHT): many_plain, (OURS, 1): single, (PLAIN, 1): single_plain}
    return rows, {
        "limits": asdict(limits) | {"runtime_lone_ms": lone, "share_of_throughput_limit": share},
        "breakdown": {f"{service}, {count} in flight": breakdown(taken) for (service, count), taken in runs.items()},
    }


def breakdown(runs: Sequence[LoadRun]) -> dict[str, Any]:
    """Where the time of one photo went, in the run of median throughput: CPU milliseconds by process, the share of all cores'
    time that was idle, and, of Triton's models, the mean batch and wall milliseconds queued and computed. `others_share` is what
    unrelated processes took in the worst run."""
    run = sorted(runs, key=lambda r: r.load.throughput)[len(runs) // 2]
    return {
        "cpu_ms": run.cpu.per_request_ms(run.load.throughput),
        "idle_share": run.cpu.idle_share(usable_cores()),
        "others_share": max(r.cpu.others_share(usable_cores()) for r in runs),
        "p50_ms": run.load.percentile_ms(50),
        "p99_ms": run.load.percentile_ms(99),
        "models": {name: asdict(use) for name, use in run.models.items()},
    }


def throughputs(label: str, runs: Sequence[LoadRun]) -> Series:
    """Photos per second of each run."""
    return Series(label, "/s", tuple(run.load.throughput for run in runs))


def latencies(label: str, runs: Sequence[LoadRun]) -> Series:
    """The median latency of each run."""
    return Series(label, "ms", tuple(run.load.percentile_ms(50) for run in runs))


def _server_cpu(label: str, runs: Sequence[LoadRun]) -> Series:
    """CPU milliseconds per photo of all processes but the client; the figure that a busy machine disturbs least."""
    spent = [run.cpu.per_request_ms(run.load.throughput) for run in runs]
    return Series(label, "ms", tuple(sum(ms for role, ms in roles.items() if role != CLIENT) for roles in spent))
