"""Two services asked in turn, photo by photo, one request at a time -> how much longer the first one takes.

A lone request's time wanders by milliseconds from one second to the next; of two requests one after the other it wanders alike.
"""

import asyncio
import os
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import numpy as np

from loadtest.connections import CONNECTIONS, Task
from loadtest.loads import CLIENT, Photos
from loadtest.services import Service
from triptych_server.benchmark.cpu import CpuClock, CpuUse


@dataclass(frozen=True, slots=True)
class Pairs:
    """Latencies in ms, [n,2], of `n` photos that were sent both ways; and the CPU time meanwhile."""

    latencies_ms: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    cpu: CpuUse

    @property
    def medians_ms(self) -> tuple[float, float]:
        """Of each way."""
        one, other = np.median(self.latencies_ms, axis=0).tolist()
        return one, other

    @property
    def added_ms(self) -> float:
        """The median of what the first way took longer than the second."""
        return float(np.median(self.latencies_ms[:, 0] - self.latencies_ms[:, 1]))


def run_pairs(ways: Sequence[tuple[Task, Service]], photos: Photos, warm_up: float, seconds: float) -> Pairs:
    """Ask both ways, from this process, in an order drawn anew for each photo. Errors of a request are raised."""
    return asyncio.run(_pairs(ways, photos, warm_up, seconds))


async def _pairs(ways: Sequence[tuple[Task, Service]], photos: Photos, warm_up: float, seconds: float) -> Pairs:
    jpegs = [path.read_bytes() for path in sorted(photos.folder.glob("*.jpg"))]
    processes = {CLIENT: os.getpid()} | {role: pid for _, service in ways for role, pid in service.processes.items()}
    draw, order = random.Random(0), [0, 1]
    async with AsyncExitStack() as stack:
        sends = [await stack.enter_async_context(CONNECTIONS[task](service.url, jpegs)) for task, service in ways]

        async def ask(seconds: float) -> list[list[float]]:
            lives = list[list[float]]()
            end = time.perf_counter() + seconds
            while (moment := time.perf_counter()) < end or not lives:
                draw.shuffle(order)
                pair = [0.0, 0.0]
                for way in order:
                    await sends[way]()
                    pair[way], moment = 1e3 * (time.perf_counter() - moment), time.perf_counter()
                lives.append(pair)
            return lives

        await ask(warm_up)
        clock = CpuClock.read(processes)
        lives = await ask(seconds)
        return Pairs(np.array(lives), clock.until(CpuClock.read(processes)))
