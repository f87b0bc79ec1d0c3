"""`python -m loadtest.gateway [--quick]`: what the gateway adds to asking Triton directly, measured in turns on one machine.

Direct is Triton's own client over gRPC with `search_image`; through the gateway the same photos go as Immich's server sends them. A CLIP of
ViT-B/32's size with random weights.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from loadtest.bench import BUSY, CACHE, PROFILE, REAL_PHOTOS
from loadtest.connections import Task
from loadtest.contest import FULL, QUICK, Plan
from loadtest.loads import LoadRun, Photos, run_load
from loadtest.pairs import Pairs, run_pairs
from loadtest.random_clip import random_clip
from loadtest.report import Goal, Row, print_rows, write_report
from loadtest.services import ROOT, GatewayService, Service, gateway, triptych
from triptych_server.benchmark.machine import describe_machine, describe_versions, usable_cores
from triptych_server.benchmark.photos import load_corpus
from triptych_server.benchmark.series import Series

IN_FLIGHT = 16
Turns = tuple[list[LoadRun], list[LoadRun]]


def measure_lone(plan: Plan, through: GatewayService, photos: Photos) -> list[Pairs]:
    """Each photo through the gateway and directly, one request at a time."""
    ways: tuple[tuple[Task, Service], ...] = (("predict", through), ("search_image", through.triton))
    return [run_pairs(ways, photos, plan.warm_up, 2 * plan.seconds) for _ in range(plan.repeats)]


def measure_many(plan: Plan, through: GatewayService, photos: Photos) -> Turns:
    """Both ways in turns: runs through the gateway, runs directly; the order changes with each turn."""
    runs: Turns = ([], [])
    for turn in range(plan.repeats):
        for way in (0, 1) if turn % 2 else (1, 0):
            task: Task = "search_image" if way else "predict"
            service = through.triton if way else through
            runs[way].append(run_load(task, service, photos, IN_FLIGHT, plan.warm_up, plan.seconds))
    return runs


def rows_of(lone: Sequence[Pairs], many: Turns) -> list[Row]:
    """What is added to a lone request, and what is left of the throughput."""
    added = Series("gateway - direct", "ms", tuple(pairs.added_ms for pairs in lone))
    waits = list(zip(*(pairs.medians_ms for pairs in lone), strict=True))
    rates = [tuple(run.load.throughput for run in runs) for runs in many]

    def both(unit: str, values: Sequence[Sequence[float]]) -> tuple[Series, Series]:
        ours, direct = (Series(label, unit, tuple(each)) for label, each in zip(("gateway", "direct"), values, strict=True))
        return ours, direct

    return [
        Row("gateway_overhead", "added to a photo's time, 1 in flight", added, goal=Goal(1.5, "<=", "ours")),
        Row("gateway_latency", "median latency, 1 in flight", *both("ms", waits)),
        Row("gateway_throughput", f"photos per second, {IN_FLIGHT} in flight", *both("/s", rates), Goal(0.93, ">=")),
    ]


def main() -> None:
    """Measure, print the table, save the report."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="two short turns instead of five long ones")
    arguments.add_argument("--photos", type=Path, default=REAL_PHOTOS, help="a folder of JPEGs; with fewer than 12, pictures are drawn")
    arguments.add_argument("--output", type=Path, default=ROOT / "loadtest" / "reports" / "gateway.json")
    options = arguments.parse_args()
    plan, corpus, console = QUICK if options.quick else FULL, load_corpus(options.photos), Console(width=120, log_path=False)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        scratch = Path(name)
        (scratch / "photos").mkdir()
        corpus.write(scratch / "photos")
        photos = Photos(scratch / "photos")
        console.log("importing a ViT-B/32 CLIP with random weights, starting Triton and the gateway")
        with triptych([random_clip(CACHE)], scratch, PROFILE) as triton, gateway(triton) as through:
            console.log(f"measuring both ways, {plan.repeats} turns")
            lone, many = measure_lone(plan, through, photos), measure_many(plan, through, photos)
    rows, uses = rows_of(lone, many), [pairs.cpu for pairs in lone] + [run.cpu for runs in many for run in runs]
    others = max(use.others_share(usable_cores()) for use in uses)
    facts = {"machine": describe_machine(), "versions": describe_versions(), "photos": corpus.source, "digest": corpus.digest}
    write_report(options.output, rows, {**facts, "others_share": others})
    print_rows(console, rows)
    if others > BUSY:
        console.print(f"Other processes took up to {100 * others:.0f} % of this machine meanwhile: measure again when it is quiet.")
    console.print(f"saved to {options.output}")


if __name__ == "__main__":
    main()
