"""Closed-loop load: a folder of JPEGs, N requests in flight for a while -> latencies in milliseconds, as JSON on stdout.

Runs in a process of its own (`python -m loadtest.clients`), so that what a client costs is paid alike by every service
and can be told apart from it. Both kinds build their request bodies before the clock starts.
"""

import argparse
import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
import numpy as np
import numpy.typing as npt
import tritonclient.grpc.aio as grpc

Embedding = npt.NDArray[np.float64]
Send = Callable[[], Awaitable[Embedding]]
"""Sends the next photo in turn; its embedding [D]."""

Connect = Callable[[str, Sequence[bytes]], AbstractAsyncContextManager[Send]]

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


@asynccontextmanager
async def triton(url: str, jpegs: Sequence[bytes]) -> AsyncIterator[Send]:
    """Send to `search_image` over gRPC; `url` is host:port."""
    requests = []
    for jpeg in jpegs:
        tensor = grpc.InferInput("image", [1, 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[jpeg]], dtype=np.object_))
        requests.append([tensor])
    turns: Iterator[list[grpc.InferInput]] = itertools.cycle(requests)
    async with grpc.InferenceServerClient(url) as client:

        async def send() -> Embedding:
            result = await client.infer("search_image", next(turns))
            return _checked(result.as_numpy("embedding"))

        yield send


@asynccontextmanager
async def plain(url: str, jpegs: Sequence[bytes]) -> AsyncIterator[Send]:
    """Post to the plain service over HTTP; `url` is http://host:port."""
    boundary = uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    bodies: Iterator[bytes] = itertools.cycle([head.encode() + j + f"\r\n--{boundary}--\r\n".encode() for j in jpegs])
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), raise_for_status=True) as session:

        async def send() -> Embedding:
            async with session.post(f"{url}/embed", data=next(bodies), headers=headers) as response:
                return _checked((await response.json())["embedding"])

        yield send


def _checked(embedding: npt.ArrayLike) -> Embedding:
    """[D] or [1,D] as float64 [D]; ValueError unless of unit length: a service that answers fast and wrong must not win."""
    vector = np.asarray(embedding, dtype=np.float64).reshape(-1)
    if abs((length := np.linalg.norm(vector)) - 1) > 1e-2:  # bf16 leaves about 1e-3
        raise ValueError(f"an embedding of length {length:.4f} came back, 1 was expected")
    return vector


async def drive(send: Send, concurrency: int, warm_up: float, seconds: float, started: Callable[[], None]) -> Load:
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


async def measure(connect: Connect, url: str, jpegs: Sequence[bytes], concurrency: int, warm_up: float, seconds: float) -> Load:
    """Connect, then `drive`."""
    async with connect(url, jpegs) as send:
        return await drive(send, concurrency, warm_up, seconds, lambda: print(STARTED, flush=True))


def main() -> None:
    """Print `started` when the measured time begins, then one line of JSON; a failed request ends the process with 1."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("service", choices=("triton", "plain"))
    arguments.add_argument("--url", required=True)
    arguments.add_argument("--photos", type=Path, required=True)
    arguments.add_argument("--concurrency", type=int, required=True)
    arguments.add_argument("--warm-up", type=float, required=True, help="seconds")
    arguments.add_argument("--seconds", type=float, required=True)
    options = arguments.parse_args()
    jpegs = [path.read_bytes() for path in sorted(options.photos.glob("*.jpg"))]
    connect = {"triton": triton, "plain": plain}[options.service]
    load = asyncio.run(measure(connect, options.url, jpegs, options.concurrency, options.warm_up, options.seconds))
    print(json.dumps(asdict(load)), flush=True)


if __name__ == "__main__":
    main()
