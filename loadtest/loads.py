"""One measured load: start the client's process, read clocks and counters around its measured time, take its result."""

import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.clients import STARTED, Load
from loadtest.connections import Task
from loadtest.services import ROOT, Service, TritonService, python_environment
from triptych_server.benchmark.cpu import CpuClock, CpuUse
from triptych_server.benchmark.triton_stats import ModelUse, TritonStats

CLIENT = "client"
"""The role under which the load's own CPU time is counted."""


@dataclass(frozen=True, slots=True)
class LoadRun:
    """What the client saw, what the processes burnt meanwhile, and, of Triton, what its models counted."""

    load: Load
    cpu: CpuUse
    models: Mapping[str, ModelUse] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Photos:
    """A folder of JPEGs, and how many faces each shows where that is asked for."""

    folder: Path
    faces: int | None = None


def run_load(task: Task, service: Service, photos: Photos, concurrency: int, warm_up: float, seconds: float) -> LoadRun:
    """Ask a service about the photos, `concurrency` at a time; RuntimeError when one request failed."""
    is_triton = isinstance(service, TritonService)
    metrics_url = service.metrics_url if isinstance(service, TritonService) else None
    command = [sys.executable, "-m", "loadtest.clients", task, "--url", service.url, "--photos", str(photos.folder)]
    command += ["--concurrency", str(concurrency), "--warm-up", str(warm_up), "--seconds", str(seconds)]
    if photos.faces is not None:
        command += ["--faces", str(photos.faces)]
    client = subprocess.Popen(command, cwd=ROOT, env=python_environment(), stdout=subprocess.PIPE, text=True)
    limit = threading.Timer(warm_up + seconds + 120, client.kill)  # a server that never answers must not hold the benchmark
    limit.start()
    try:
        assert client.stdout is not None
        roots = {**service.processes, CLIENT: client.pid}
        if client.stdout.readline().strip() != STARTED:
            raise RuntimeError(f"a request to {service.url} failed while warming up; the reason stands above")
        stats, clock = TritonStats.read(service.url, metrics_url) if is_triton else None, CpuClock.read(roots)
        result = client.stdout.readline()
        if not result:
            raise RuntimeError(f"a request to {service.url} failed; the reason stands above")
        cpu = clock.until(CpuClock.read(roots))
        models = stats.until(TritonStats.read(service.url, metrics_url)) if stats else {}
        return LoadRun(Load.from_json(result), cpu, models)
    finally:
        client.kill()
        client.wait()
        limit.cancel()
