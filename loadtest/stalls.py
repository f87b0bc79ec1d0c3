"""`python -m loadtest.stalls`: whether requests ever wait for more than their turn: bursts, closed loops and Poisson arrivals, one model.

CLIP's image tower of ViT-B/32's size in the `openvino` profile, asked through gRPC. What a request may take follows from the run of a lone
one; a scheduler that sleeps shows as a latency near its own time-out, whatever the load.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient

from loadtest.bench import CACHE, PROFILE
from loadtest.random_clip import random_clip
from loadtest.services import TritonService, triptych
from triptych_server.benchmark.cpu import CpuClock
from triptych_server.benchmark.machine import usable_cores
from triptych_server.benchmark.triton_stats import TritonStats

NETWORK, SIDE = "clip_visual", 224
BURSTS, IN_FLIGHT, PER_SECOND = (2, 3, 4, 6), (1, 2, 3, 4, 8, 16), (5, 10, 20)
BURSTS_OF_EACH, PAUSE_SECONDS = 15, 0.05
Ask = Callable[[], Awaitable[None]]
Load = Callable[[Ask], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Seen:
    """One load: latencies in ms, answers per second, rows of a batch, CPU milliseconds of the model's processes for an answer, and the part
    of the machine that unrelated processes took."""

    what: str
    latencies: tuple[float, ...]
    rate: float
    mean_batch: float
    cpu_ms: float
    others_share: float


def loads(seconds: float) -> dict[str, Load]:
    """All of them, by name."""
    found = {f"bursts of {size}": burst_load(size) for size in BURSTS}
    found |= {f"{size} in flight": closed_load(size, seconds) for size in IN_FLIGHT}
    return found | {f"{rate} a second": poisson_load(rate, seconds) for rate in PER_SECOND}


def burst_load(size: int) -> Load:
    """So many at once, then quiet."""

    async def load(ask: Ask) -> None:
        for _ in range(BURSTS_OF_EACH):
            await asyncio.gather(*(ask() for _ in range(size)))
            await asyncio.sleep(PAUSE_SECONDS)

    return load


def closed_load(size: int, seconds: float) -> Load:
    """So many callers, each with one request after the other."""

    async def load(ask: Ask) -> None:
        end = time.perf_counter() + seconds

        async def caller() -> None:
            while time.perf_counter() < end:
                await ask()

        await asyncio.gather(*(caller() for _ in range(size)))

    return load


def poisson_load(rate: float, seconds: float) -> Load:
    """Requests at random moments, so many a second, whether or not others are answered."""

    async def load(ask: Ask) -> None:
        random, end, asked = np.random.default_rng(1), time.perf_counter() + seconds, list[asyncio.Future[None]]()
        while time.perf_counter() < end:
            asked.append(asyncio.ensure_future(ask()))
            await asyncio.sleep(random.exponential(1 / rate))
        await asyncio.gather(*asked)

    return load


async def measure(service: TritonService, seconds: float) -> list[Seen]:
    """Every load in turn, after a warm-up."""
    pixels = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8)
    image = InferInput("image", pixels.shape, "UINT8")
    image.set_data_from_numpy(pixels)
    async with InferenceServerClient(service.url) as client:

        async def ask(seen: list[float]) -> None:
            began = time.perf_counter()
            await client.infer(NETWORK, [image])
            seen.append(1e3 * (time.perf_counter() - began))

        for _ in range(20):
            await ask([])
        found = []
        for what, load in loads(seconds).items():
            await asyncio.sleep(0.5)  # counts come to the metrics page a little later
            latencies: list[float] = []
            stats, clock = TritonStats.read(service.url, service.metrics_url), CpuClock.read({"triton": service.pid})
            client_began = time.process_time()
            await load(lambda latencies=latencies: ask(latencies))  # type: ignore[misc]
            client_seconds = time.process_time() - client_began
            used = clock.until(CpuClock.read({"triton": service.pid}))
            await asyncio.sleep(0.5)
            use = stats.until(TritonStats.read(service.url, service.metrics_url))[NETWORK]
            others = used.others_share(usable_cores()) - client_seconds / usable_cores() / used.wall
            cpu_ms = 1e3 * used.seconds[NETWORK] / len(latencies)
            found.append(Seen(what, tuple(latencies), len(latencies) / used.wall, use.mean_batch, cpu_ms, max(0.0, others)))
    return found


def print_seen(console: Console, found: list[Seen]) -> None:
    """One row for each load."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("load")
    for title in ("requests", "per second", "p50 ms", "p95 ms", "max ms", "mean batch", "CPU ms", "others"):
        table.add_column(title, justify="right")
    for seen in found:
        p50, p95, most = np.quantile(seen.latencies, (0.5, 0.95, 1))
        figures = (f"{seen.rate:.1f}", f"{p50:.0f}", f"{p95:.0f}", f"{most:.0f}", f"{seen.mean_batch:.1f}", f"{seen.cpu_ms:.1f}")
        table.add_row(seen.what, str(len(seen.latencies)), *figures, f"{seen.others_share:.0%}")
    console.print(table)


def main() -> None:
    """Measure, print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=6.0, help="of each closed loop and each rate")
    options = arguments.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=CACHE) as scratch,
        triptych([random_clip(CACHE)], Path(scratch), PROFILE) as service,
    ):
        found = asyncio.run(measure(service, options.seconds))
    print_seen(Console(width=140), found)


if __name__ == "__main__":
    main()
