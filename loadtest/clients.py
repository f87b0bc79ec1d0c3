"""Closed-loop load: a folder of JPEGs, N requests in flight for a while -> latencies in milliseconds, as JSON on stdout.

Runs in a process of its own (`python -m loadtest.clients`), so that what a client costs is paid alike by every service
and can be told apart from it.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from loadtest.connections import CONNECTIONS, Task

STARTED = "started"  # the line on stdout that says: warmed up, the measured time begins now


@dataclass(frozen=True, slots=True)
class Load:
    """What one run saw; every request was answered well, else there is no Load.

    `completed` counts a request by the share of its life that lies inside the measured time: answers come in bursts of
    a batch, and counting whole ones would move the result by a burst at either end.
    """

    seconds: float
    completed: float
    latencies_ms: tuple[float, ...]

    @property
    def throughput(self) -> float:
        """Requests per second."""
        return self.completed / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Latency in ms below which `percent` of the requests stayed."""
        return float(np.percentile(self.latencies_ms, percent))

    @classmethod
    def from_lives(cls, lives: Sequence[tuple[float, float]], begin: float, end: float) -> "Load":
        """From the (sent, answered) times of all requests, in seconds, and the measured time between `begin` and `end`."""
        inside = (max(0.0, min(answered, end) - max(sent, begin)) / (answered - sent) for sent, answered in lives)
        latencies = tuple((answered - sent) * 1e3 for sent, answered in lives if begin <= answered < end)
        if not latencies:
            raise ValueError(f"no request ended within {end - begin:.1f} s; measure for longer or send fewer at a time")
        return cls(end - begin, sum(inside), latencies)

    @classmethod
    def from_json(cls, text: str) -> "Load":
        """The inverse of what `main` prints."""
        fields = json.loads(text)
        return cls(fields["seconds"], fields["completed"], tuple(fields["latencies_ms"]))


async def drive(
    send: Callable[[], Awaitable[object]], concurrency: int, warm_up: float, seconds: float, started: Callable[[], None]
) -> Load:
    """Keep `concurrency` requests in flight; what `warm_up` seconds leave out, `seconds` measure. Calls `started` between."""
    lives: list[tuple[float, float]] = []
    begin = time.perf_counter() + warm_up
    end = begin + seconds

    async def worker() -> None:
        while (sent := time.perf_counter()) < end:
            await send()
            lives.append((sent, time.perf_counter()))

    async def announce() -> None:
        await asyncio.sleep(begin - time.perf_counter())
        started()

    async with asyncio.TaskGroup() as group:
        group.create_task(announce())
        for _ in range(concurrency):
            group.create_task(worker())
    return Load.from_lives(lives, begin, end)


async def measure(
    task: Task, url: str, jpegs: Sequence[bytes], faces: int | None, concurrency: int, warm_up: float, seconds: float
) -> Load:
    """Connect, then `drive`; ValueError when a photo is answered with another number than `faces`."""
    async with CONNECTIONS[task](url, jpegs) as send:

        async def counted() -> None:
            answer = await send()
            if faces is not None and len(answer.boxes) != faces:
                raise ValueError(f"{task}: {len(answer.boxes)} faces came back for a photo of {faces}")

        return await drive(counted, concurrency, warm_up, seconds, lambda: print(STARTED, flush=True))


def main() -> None:
    """Print `started` when the measured time begins, then one line of JSON; a failed request ends the process with 1."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("task", choices=list(CONNECTIONS))
    arguments.add_argument("--url", required=True)
    arguments.add_argument("--photos", type=Path, required=True)
    arguments.add_argument("--faces", type=int, help="how many every photo shows")
    arguments.add_argument("--concurrency", type=int, required=True)
    arguments.add_argument("--warm-up", type=float, required=True, help="seconds")
    arguments.add_argument("--seconds", type=float, required=True)
    options = arguments.parse_args()
    jpegs = [path.read_bytes() for path in sorted(options.photos.glob("*.jpg"))]
    load = asyncio.run(measure(options.task, options.url, jpegs, options.faces, options.concurrency, options.warm_up, options.seconds))
    print(json.dumps(asdict(load)), flush=True)


if __name__ == "__main__":
    main()
