"""Put a load on one model of a running Triton and watch: the client's figures, Triton's counters and the processes' clocks."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
from tritonclient.grpc import InferRequestedOutput

from triptych_server.benchmark.cpu import CpuClock, CpuUse
from triptych_server.benchmark.diagnosis.figures import Machine, Observed
from triptych_server.benchmark.triton_stats import TritonStats
from triptych_server.tuning.load import Inputs, Load, measure

TRITON = "tritonserver"


@dataclass(frozen=True, slots=True)
class Server:
    """A running Triton: host:port of its gRPC API; its process, where it runs on this machine; its metrics page."""

    url: str
    pid: int | None
    cores: int
    metrics_url: str | None = None


def observe(
    server: Server,
    model: str,
    requests: Sequence[Inputs],
    load: Load,
    rows: int = 1,
    outputs: Sequence[Sequence[InferRequestedOutput]] = (),
) -> Observed:
    """Send the requests, of `rows` items each; `outputs` say, for each request in flight, where its answer goes. EngineError when none was
    answered."""
    # Around everything, the warm-up too: between two moments some requests are half answered.
    counted = TritonStats.read(server.url, server.metrics_url)  # settled: every load before this one ended with such a reading
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(measure, server.url, model, requests, load, outputs)
        time.sleep(load.warm_up)
        before = _Reading.of(server)
        time.sleep(load.seconds)
        after = _Reading.of(server)
        found = sent.result()
    models = counted.until(TritonStats.read_settled(server.url, server.metrics_url))
    wall = after.moment - before.moment
    rate = found.throughput * rows
    return Observed(
        load.in_flight,
        rate,
        found.p50_ms,
        found.p95_ms,
        found.refused,
        (after.client - before.client) / wall,
        models,
        _machine(server, before, after, rate),
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """All clocks at one moment."""

    moment: float
    client: float
    cpu: CpuClock | None
    waited: float | None

    @classmethod
    def of(cls, server: Server) -> "_Reading":
        if server.pid is None:
            return cls(time.perf_counter(), time.process_time(), None, None)
        cpu, waited = CpuClock.read({TRITON: server.pid}), waited_seconds(server.pid)
        return cls(time.perf_counter(), time.process_time(), cpu, waited)


def _machine(server: Server, before: _Reading, after: _Reading, rate: float) -> Machine | None:
    if before.cpu is None or after.cpu is None:
        return None
    use = before.cpu.until(after.cpu)
    whole = CpuUse({**use.seconds, "client": after.client - before.client}, use.wall, use.idle)
    served = sum(use.seconds.values())
    waiting = None
    if before.waited is not None and after.waited is not None and served:
        waiting = max(0.0, after.waited - before.waited) / served
    return Machine(use.per_request_ms(rate), whole.idle_share(server.cores), whole.others_share(server.cores), waiting)


def waited_seconds(pid: int) -> float | None:
    """How long the threads of a process and its children have been ready and without a core; None where the kernel does not tell."""
    process, total = psutil.Process(pid), 0
    for each in (process, *process.children(recursive=True)):
        for task in Path(f"/proc/{each.pid}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[1])
            except FileNotFoundError:  # the thread has ended
                continue
            except (OSError, IndexError, ValueError):
                return None
    return total / 1e9 if Path("/proc/self/schedstat").exists() else None
