"""`python -m loadtest.auto_batching`: who should gather batches for OpenVINO, and how all cores are used: ratios of one run.

One network, CLIP's image tower of ViT-B/32's size, is served several times by one Triton, each time with another config; perf_analyzer
asks them in turns, so that a machine that slows down slows all. What the `openvino` profile does is the baseline.
"""

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from rich.console import Console
from tritonclient.grpc.model_config_pb2 import ModelConfig

from loadtest.random_clip import random_clip
from loadtest.report import Row, print_rows, write_report
from loadtest.services import ROOT
from triptych_server.benchmark.cpu import CpuClock, stub_model
from triptych_server.benchmark.machine import describe_machine, describe_versions, usable_cores
from triptych_server.benchmark.perf_analyzer import PerfAnalyzer
from triptych_server.benchmark.series import Series
from triptych_server.benchmark.triton_stats import TritonStats
from triptych_server.configs.read import read_config, render_config
from triptych_server.engine import Engine, EngineOptions
from triptych_server.models.any_folder import use_any
from triptych_server.repository import FOLDERS, Repository

CACHE = ROOT / ".cache" / "bench"
NETWORK, PROFILE = "clip_visual", "openvino"
IN_FLIGHT = (1, 16, 64)
BUSY = 0.05
BATCH = 8  # auto-batching: large enough for the processor, small enough to fill


@dataclass(frozen=True, slots=True)
class Variant:
    """A config of the network: what differs from the profile's."""

    what: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    triton_batches: bool = True
    instances: int = 1

    def config(self, profile: ModelConfig, name: str) -> ModelConfig:
        """The profile's config, changed; its own hint goes where this one has parameters."""
        config = ModelConfig()
        config.CopyFrom(profile)
        config.name = name
        config.instance_group[0].count = self.instances
        if self.parameters:
            del config.parameters["PERFORMANCE_HINT"]
        for key, value in self.parameters.items():
            config.parameters[key].string_value = value
        if not self.triton_batches:
            config.ClearField("dynamic_batching")
        return config


BASELINE = "profile"


def variants(cores: int) -> dict[str, Variant]:
    """By model name; BASELINE is the profile as it is."""
    auto = {"TARGET_DEVICE": f"BATCH:CPU({BATCH})"}
    half = {"INFERENCE_NUM_THREADS": str(max(1, cores // 2)), "ENABLE_CPU_PINNING": "NO"}  # pinned, both would take the same cores
    return {
        BASELINE: Variant("Triton gathers batches"),
        "auto_batching": Variant("OpenVINO gathers alone", auto, triton_batches=False),
        "auto_batching_10ms": Variant("alone, waits 10 ms", auto | {"AUTO_BATCH_TIMEOUT": "10"}, triton_batches=False),
        "both": Variant("Triton gathers, OpenVINO again", auto),
        "two_streams": Variant("one instance, two streams", {"NUM_STREAMS": "2"}),
        "two_instances": Variant("two instances, half the threads", half, instances=2),
    }


@dataclass(frozen=True, slots=True)
class Measured:
    """One load on one variant. CPU milliseconds per image are of the model's own processes: busy neighbours disturb them least.
    `others_share` is the part of the machine that unrelated processes took."""

    throughput: float
    p50_ms: float
    cpu_ms: float
    others_share: float


Results = dict[tuple[str, int], list[Measured]]


def measure(scratch: Path, repeats: int, window_ms: int, console: Console) -> tuple[list[Row], float]:
    """Serve every variant, ask them in turns, and compare each with the profile; and the worst `others_share` of all."""
    perf = PerfAnalyzer.find(CACHE)
    chosen = variants(usable_cores())
    console.log(f"importing the network, starting Triton with {len(chosen)} configs of it")
    with _served(chosen, scratch) as (engine, url):
        assert engine.pid is not None
        results: Results = {(name, load): [] for load in IN_FLIGHT for name in chosen}
        for name in chosen:
            perf.run(name, url, IN_FLIGHT[-1], window_ms)  # warms up
        for turn in range(repeats):
            console.log(f"turn {turn + 1} of {repeats}")
            for name, load in results:
                results[name, load].append(_measure(perf, engine, url, name, load, window_ms))
        memory = {name: _memory_mib(engine.pid, name) for name in chosen}
    rows = [row for name in chosen if name != BASELINE for row in _rows(name, chosen, results, memory)]
    return rows, max(each.others_share for taken in results.values() for each in taken)


def _measure(perf: PerfAnalyzer, engine: Engine, url: str, name: str, load: int, window_ms: int) -> Measured:
    assert engine.pid is not None
    roots = {"triton": engine.pid}
    stats, clock = TritonStats.read(url, engine.metrics_url), CpuClock.read(roots)
    report = perf.run(name, url, load, window_ms)
    used, counted = clock.until(CpuClock.read(roots)), stats.until(TritonStats.read(url, engine.metrics_url))[name]
    cores = usable_cores()
    return Measured(report.throughput, report.p50_us / 1000, 1000 * used.seconds[name] / counted.requests, used.others_share(cores))


def _rows(name: str, chosen: Mapping[str, Variant], results: Results, memory: Mapping[str, float]) -> Iterator[Row]:
    """One variant against the profile."""
    both = (name, BASELINE)

    def row(key: str, what: str, unit: str, figures: Iterable[Iterable[float]]) -> Row:
        ours, base = (Series(chosen[of].what, unit, tuple(values)) for of, values in zip(both, figures, strict=True))
        return Row(f"{name}_{key}", what, ours, base)

    for load in IN_FLIGHT:
        rates = [[each.throughput for each in results[of, load]] for of in both]
        yield row(f"throughput_{load}", f"images per second, {load} in flight", "/s", rates)
        yield row(f"cpu_{load}", f"CPU per image, {load} in flight", "ms", [[each.cpu_ms for each in results[of, load]] for of in both])
    yield row("latency", "median latency, 1 in flight", "ms", [[each.p50_ms for each in results[of, 1]] for of in both])
    yield row("memory", "memory of its own", "MiB", [[memory[of]] for of in both])


@contextmanager
def _served(chosen: Mapping[str, Variant], scratch: Path) -> Iterator[tuple[Engine, str]]:
    """A running Triton with every variant, and host:port of its gRPC."""
    source = Repository.locate(ROOT).copy_to(scratch / "source")
    use_any(random_clip(CACHE), source)
    served = _repository(source, chosen, scratch / "repository")
    with Engine(EngineOptions(served, http_port=0, grpc_port=0, metrics_port=0, log_file=scratch / "triton.log")) as engine:
        yield engine, engine.grpc_url.removeprefix("grpc://")


def _repository(source: Repository, chosen: Mapping[str, Variant], root: Path) -> Repository:
    """A repository of the variants alone, which share the source's graph."""
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    for name in ("backends", "profiles"):
        (root / name).rmdir()
        (root / name).symlink_to(source.root / name)
    profile = read_config(source.model(NETWORK) / "configs" / f"{PROFILE}.pbtxt")
    for name, variant in chosen.items():
        folder = root / "model_repository" / name
        (folder / "1").mkdir(parents=True)
        (folder / "1" / "model.onnx").hardlink_to(source.model(NETWORK) / "1" / "model.onnx")
        (folder / "config.pbtxt").write_text(render_config(variant.config(profile, name)), encoding="utf-8")
    return Repository(root)


def _memory_mib(pid: int, model: str) -> float:
    """What the model's processes have for themselves (USS), added up."""
    children = psutil.Process(pid).children(recursive=True)
    own = [child.memory_full_info().uss for child in children if stub_model(child.cmdline()) == model]
    return float(sum(own)) / 2**20


def main() -> None:
    """Measure, print the table, save the report."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repeats", type=int, default=5, help="turns of everything")
    arguments.add_argument("--window-ms", type=int, default=1000, help="a third of the time that one measurement takes")
    arguments.add_argument("--output", type=Path, default=ROOT / "loadtest" / "reports" / "auto_batching.json")
    options = arguments.parse_args()
    console = Console(width=140, log_path=False)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        rows, others = measure(Path(scratch), options.repeats, options.window_ms, console)
    facts = {"machine": describe_machine(), "versions": describe_versions(), "batch": BATCH, "others_share": others}
    write_report(options.output, rows, facts)
    print_rows(console, rows)
    if others > BUSY:
        console.print(f"Other processes took up to {100 * others:.0f} % of this machine meanwhile: measure again when it is quiet.")
    console.print(f"saved to {options.output}")


if __name__ == "__main__":
    main()
