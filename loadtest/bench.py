"""`python -m loadtest.bench [--quick]`: Triptych against the bare runtime and against a plain service, as ratios of one run.

A CLIP of ViT-B/32's size and a face model of SCRFD-10G's and IResNet-50's, with random weights, are imported and served
by the real Triton; every comparison measures ours and its baseline in turns (A, B, A, B, ...), so that a machine that
slows down slows both.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from demo.faces.networks import WEIGHTS
from loadtest.agreement import SEARCH, check_agreement
from loadtest.contest import FULL, QUICK, Contest, Plan
from loadtest.crowds import draw_crowds
from loadtest.face_rows import face_rows, photo_rows
from loadtest.preprocess_cost import measure_preprocessing
from loadtest.random_clip import random_clip
from loadtest.random_faces import random_faces
from loadtest.report import Row, print_lines, print_rows, write_report
from loadtest.rows import preprocess_rows, search_rows
from loadtest.services import ROOT, plain_service, triptych
from triptych_server.benchmark.machine import describe_machine, describe_versions, has_amx
from triptych_server.benchmark.perf_analyzer import PerfAnalyzer
from triptych_server.benchmark.photos import Corpus, load_corpus

PROFILE = "openvino"
CACHE = ROOT / ".cache" / "bench"
REAL_PHOTOS = ROOT.parent / "shared" / "real" / "photos"
BUSY = 0.05
Part = Callable[[Plan, Path, Console], tuple[list[Row], dict[str, Any]]]
CROWD = 12  # photos for each number of faces
NO_AMX = "This processor has no AMX: bf16 is about twice as fast as f32 here, not eight times. The goals of search_image assume AMX."


def run_bench(plan: Plan, corpus: Corpus, only: str | None, console: Console) -> tuple[list[Row], dict[str, Any]]:
    """Start everything, measure everything, stop everything; the rows, and the facts they stand on."""
    CACHE.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {"machine": describe_machine(), "versions": describe_versions(), "profile": PROFILE, "plan": asdict(plan)}
    facts["breakdown"], rows = {}, list[Row]()
    parts: dict[str, Part] = {"search": partial(search, corpus=corpus), "faces": faces}
    for name, part in parts.items():
        if only in (None, name):
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                more, found = part(plan, Path(scratch), console)
            rows += more
            facts["breakdown"] |= found.pop("breakdown")
            facts[name] = found
    return rows, facts


def search(plan: Plan, scratch: Path, console: Console, *, corpus: Corpus) -> tuple[list[Row], dict[str, Any]]:
    """CLIP: the network alone against the runtime, the ensemble against the plain service, decoding against a full one."""
    perf = PerfAnalyzer.find(CACHE)
    console.log("measuring decoding")
    cost = measure_preprocessing(corpus.jpegs, plan.rounds)
    console.log("importing a ViT-B/32 CLIP with random weights, starting Triton and the plain service")
    clip, photos = random_clip(CACHE), scratch / "photos"
    photos.mkdir()
    corpus.write(photos)
    facts: dict[str, Any] = {"photos": len(corpus.jpegs), "source": corpus.source, "mean_bytes": corpus.mean_bytes, "digest": corpus.digest}
    with triptych([clip], scratch, PROFILE) as ours, plain_service(clip=clip) as plain:
        facts["precision"] = ours.precision("clip_visual")
        facts["smallest_cosine_to_plain"] = check_agreement(("search_image", ours), ("plain embed", plain), corpus.jpegs, SEARCH)
        rows, found = search_rows(Contest(plan, ours, plain, console), photos, perf, cost)
    return rows + preprocess_rows(cost), facts | found


def faces(plan: Plan, scratch: Path, console: Console) -> tuple[list[Row], dict[str, Any]]:
    """Networks of the usual size, then the demo's: `faces` against the plain service, `photo` against asking twice."""
    console.log("drawing people")
    crowds = draw_crowds(scratch / "crowds", CROWD)
    rows, facts = list[Row](), dict[str, Any](breakdown={})
    for name, folder in (("SCRFD-10G and IResNet-50", random_faces(CACHE)), ("the demo's networks", WEIGHTS)):
        console.log(f"importing {name}, starting Triton and the plain service")
        place = scratch / folder.name
        place.mkdir()
        with triptych([random_clip(CACHE), folder], place, PROFILE) as ours, plain_service(faces=folder) as plain:
            contest = Contest(plan, ours, plain, console)
            more, found = face_rows(contest, crowds, name, goals=folder != WEIGHTS)
            rows += more + photo_rows(contest, crowds, name, goals=folder != WEIGHTS)
        facts["breakdown"] |= {f"{name}: {load}": use for load, use in found.pop("breakdown").items()}
        facts[name] = found
    return rows, facts


def print_facts(console: Console, facts: Mapping[str, Any]) -> None:
    """The bounds, and where the time goes."""
    if "search" in facts:
        limits = facts["search"]["limits"]
        lines = [
            ("photos per second", f"{limits['throughput']:.1f}, reached {100 * limits['share_of_throughput_limit']:.0f} %"),
            ("lone request", f"{limits['latency_ms']:.1f} ms, of it {limits['runtime_lone_ms']:.1f} ms inference"),
        ]
        print_lines(console, "What this machine allows search_image: decoding and inference, nothing else", lines)
    for load, use in facts["breakdown"].items():
        lines = [
            (f"{role}, CPU", f"{spent:.2f} ms") for role, spent in sorted(use["cpu_ms"].items(), key=lambda item: -item[1]) if spent > 0.01
        ]
        lines += [("idle cores", f"{100 * use['idle_share']:.0f} %"), ("p50, p99", f"{use['p50_ms']:.1f}, {use['p99_ms']:.1f} ms")]
        for model, counted in use["models"].items():
            figures = f"batch {counted['mean_batch']:.1f}, queue {counted['queue_ms']:.1f} ms, compute {counted['compute_ms']:.1f} ms"
            lines.append((model, figures))
        print_lines(console, f"One photo, {load}", lines)


def main() -> None:
    """Measure, print the tables, save the report."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="two short turns of everything instead of five long ones")
    arguments.add_argument("--only", choices=("search", "faces"), help="one half of it")
    arguments.add_argument("--photos", type=Path, default=REAL_PHOTOS, help="a folder of JPEGs; with fewer than 12, pictures are drawn")
    arguments.add_argument("--output", type=Path, default=ROOT / "loadtest" / "reports" / "bench.json")
    options = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the way Ctrl-C does: Triton and the service are stopped
    terminal = Console()
    console, begin = Console(width=max(terminal.width, 120), log_path=False), time.monotonic()  # narrower, the tables are no tables
    rows, facts = run_bench(QUICK if options.quick else FULL, load_corpus(options.photos), options.only, console)
    facts["seconds"] = round(time.monotonic() - begin)
    write_report(options.output, rows, facts)
    print_facts(console, facts)
    print_rows(console, rows)
    others = max(use["others_share"] for use in facts["breakdown"].values())
    if others > BUSY:
        console.print(f"Other processes took up to {100 * others:.0f} % of this machine meanwhile: measure again when it is quiet.")
    if not has_amx(facts["machine"]["flags"]):
        console.print(NO_AMX)
    console.print(f"saved to {options.output}, as a page to {options.output.with_suffix('.html')}")


if __name__ == "__main__":
    main()
