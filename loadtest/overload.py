"""`python -m loadtest.overload`: five times as much is asked as the server can do; and do searches stay quick beside photos?

A CLIP of ViT-B/32's size in the `openvino` profile, photos of 1440 px. Capacity is measured first, by callers that wait for their
answers; then photos come at random moments (Poisson), whether or not others are answered.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from loadtest.bench import CACHE, PROFILE, REAL_PHOTOS
from loadtest.footprint import Footprint
from loadtest.questions import Asker, Fate, Question, Reply
from loadtest.random_clip import random_clip
from loadtest.services import TritonService, triptych
from triptych_server.benchmark.cpu import CpuClock
from triptych_server.benchmark.machine import usable_cores
from triptych_server.benchmark.photos import load_corpus

OVERLOAD = 5
IN_FLIGHT = 48  # enough to keep every step busy, few enough that nobody is refused
PAUSE_BETWEEN_TEXTS = 0.2
SETTLE_SECONDS = 3.0
Send = Callable[[], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Times:
    """Latencies in ms; nan where there are none."""

    p50: float
    p95: float
    longest: float

    @classmethod
    def of(cls, replies: Sequence[Reply], fate: Fate) -> "Times":
        """Of the replies of one fate."""
        values = [1e3 * reply.seconds for reply in replies if reply.fate is fate]
        p50, p95, longest = np.quantile(values, (0.5, 0.95, 1)).tolist() if values else [float("nan")] * 3
        return cls(p50, p95, longest)


@dataclass(frozen=True, slots=True)
class Use:
    """What a load took: parts of all cores' time by the client and by unrelated processes, CPU milliseconds a second by role, and
    memory and shared memory (MB) before and after."""

    client_share: float
    others_share: float
    cpu_ms: dict[str, float]
    memory_mb: tuple[float, float]
    shared_mb: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Seen:
    """One load: rates per second, and what became of its requests."""

    what: str
    offered: float
    goodput: float
    fates: dict[str, int]
    answered: Times
    refused: Times
    use: Use
    said: tuple[str, ...]

    @classmethod
    def of(cls, what: str, replies: Sequence[Reply], seconds: float, meter: "Meter") -> "Seen":
        """From all replies of a load that was offered for so many seconds."""
        fates = Counter(reply.fate.value for reply in replies)
        said = {reply.said for reply in replies if reply.said}
        times = Times.of(replies, Fate.ANSWERED), Times.of(replies, Fate.REFUSED)
        goodput = fates[Fate.ANSWERED] / meter.wall
        return cls(what, len(replies) / seconds, goodput, dict(fates), *times, meter.use(), tuple(sorted(said))[:4])


class Meter:
    """Clocks and memory around a load, within `with`."""

    def __init__(self, pid: int) -> None:
        self._pid, self.wall, self._client = pid, 0.0, 0.0

    def __enter__(self) -> "Meter":
        self._before, self._clock = Footprint.read(self._pid), CpuClock.read({"triton": self._pid})
        self._client = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self._client = time.process_time() - self._client
        self._used = self._clock.until(CpuClock.read({"triton": self._pid}))
        self.wall = self._used.wall
        self._after = Footprint.read(self._pid)

    def use(self) -> Use:
        """Once the block has ended."""
        cores, moments = usable_cores(), (self._before, self._after)
        client = self._client / cores / self.wall
        memory, shared = ([sum(moment.memory.values()) / 1e6 for moment in moments], [moment.shared / 1e6 for moment in moments])
        rates = {role: round(1e3 * spent / self.wall, 1) for role, spent in self._used.seconds.items()}
        others = max(0.0, self._used.others_share(cores) - client)
        return Use(client, others, rates, (memory[0], memory[1]), (shared[0], shared[1]))


async def closed(send: Send, in_flight: int, seconds: float) -> list[Reply]:
    """So many callers, each with one question after the other."""
    replies, end = list[Reply](), time.perf_counter() + seconds

    async def caller() -> None:
        while time.perf_counter() < end:
            replies.append(await send())

    await asyncio.gather(*(caller() for _ in range(in_flight)))
    return replies


async def poisson(send: Send, rate: float, seconds: float, seed: int = 1) -> list[Reply]:
    """Questions at random moments, so many a second; a sender that is late sends at once what is due."""
    random, asked = np.random.default_rng(seed), list[asyncio.Task[Reply]]()
    begin = time.perf_counter()
    due = begin
    while (due := due + random.exponential(1 / rate)) < begin + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        asked.append(asyncio.ensure_future(send()))
    return list(await asyncio.gather(*asked))


async def paced(send: Send, pause: float, until: asyncio.Event) -> list[Reply]:
    """One caller who thinks between answer and question."""
    replies = list[Reply]()
    while not until.is_set():
        replies.append(await send())
        await asyncio.sleep(pause)
    return replies


class Sender:
    """Asks about one photo after the other, or about ever new texts (an old one's answer would come from the cache)."""

    def __init__(self, asker: Asker, photos: Sequence[Question]) -> None:
        self._asker, self._photos, self._next = asker, photos, 0

    async def photo(self) -> Reply:
        """The next photo."""
        self._next += 1
        return await self._asker.ask(self._photos[self._next % len(self._photos)])

    async def text(self) -> Reply:
        """A text that nobody has asked before."""
        self._next += 1
        return await self._asker.ask(Question.about_text(f"a dog of {self._next} years at the lake {time.time_ns()}"))


async def measure(service: TritonService, photos: Sequence[Question], seconds: float) -> list[Seen]:
    """Capacity, overload, capacity again; then texts on an idle server, beside photos that fill it, and beside too many of them."""
    async with Asker(service.url) as bulk, Asker(service.url) as people:
        sender, searcher = Sender(bulk, photos), Sender(people, photos)
        await closed(sender.photo, IN_FLIGHT, 5)
        await closed(searcher.text, 1, 1)
        found = [await _run("capacity", service, closed(sender.photo, IN_FLIGHT, seconds / 3), seconds / 3)]
        rate = OVERLOAD * found[0].goodput
        found.append(await _run(f"{OVERLOAD}x capacity", service, poisson(sender.photo, rate, seconds), seconds))
        found.append(await _run("capacity again", service, closed(sender.photo, IN_FLIGHT, seconds / 3), seconds / 3))
        loads = {
            "text, idle": asyncio.sleep(seconds / 3, []),
            f"text, {IN_FLIGHT} photos in flight": closed(sender.photo, IN_FLIGHT, seconds / 3),
            f"text, photos at {OVERLOAD}x": poisson(sender.photo, rate, seconds / 3),
        }
        for what, load in loads.items():
            ended = asyncio.Event()
            texts = asyncio.ensure_future(paced(searcher.text, PAUSE_BETWEEN_TEXTS, ended))

            async def both(load: Awaitable[list[Reply]] = load, ended: asyncio.Event = ended) -> list[Reply]:
                await load
                ended.set()
                return []

            meter = Meter(service.pid)
            with meter:
                await both()
            found.append(Seen.of(what, await texts, seconds / 3, meter))
            await asyncio.sleep(SETTLE_SECONDS)
    return found


async def _run(what: str, service: TritonService, load: Awaitable[list[Reply]], seconds: float) -> Seen:
    with (meter := Meter(service.pid)):
        replies = await load
    await asyncio.sleep(SETTLE_SECONDS)
    return Seen.of(what, replies, seconds, meter)


def print_seen(console: Console, found: Sequence[Seen]) -> None:
    """One row for each load."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("load")
    titles = ("offered/s", "answered/s", "p50 ms", "p95 ms", "max ms", "refused", "p95 ms", "max ms", "lost, failed", "client", "others")
    for title in (*titles, "memory MB", "shared MB"):
        table.add_column(title, justify="right")
    for seen in found:
        bad = sum(count for fate, count in seen.fates.items() if fate not in (Fate.ANSWERED, Fate.REFUSED))
        times = (f"{value:.0f}" for value in (seen.answered.p50, seen.answered.p95, seen.answered.longest))
        refused = (str(seen.fates.get(Fate.REFUSED, 0)), f"{seen.refused.p95:.0f}", f"{seen.refused.longest:.0f}")
        shares = (f"{seen.use.client_share:.0%}", f"{seen.use.others_share:.0%}")
        memory = ("{:.0f} to {:.0f}".format(*seen.use.memory_mb), "{:.1f} to {:.1f}".format(*seen.use.shared_mb))
        table.add_row(seen.what, f"{seen.offered:.1f}", f"{seen.goodput:.1f}", *times, *refused, str(bad), *shares, *memory)
    console.print(table)
    for seen in found:
        console.print(seen.what, seen.use.cpu_ms, *seen.said, sep="\n  ", highlight=False)


def main() -> None:
    """Measure, print the table, write the figures where asked."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60.0, help="of the overload; each other load takes a third")
    arguments.add_argument("--json", type=Path, help="a file for the figures")
    options = arguments.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    corpus = load_corpus(REAL_PHOTOS)
    photos = [Question.about_photo(str(number), jpeg) for number, jpeg in enumerate(corpus.jpegs)]
    with (
        tempfile.TemporaryDirectory(dir=CACHE) as scratch,
        triptych([random_clip(CACHE)], Path(scratch), PROFILE) as service,
    ):
        found = asyncio.run(measure(service, photos, options.seconds))
    print_seen(Console(width=180), found)
    if options.json:
        options.json.write_text(json.dumps([asdict(seen) for seen in found], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
