"""The storm itself: mutated pictures to Triton and to the gateway by turns, eight at a time, every fourth request a good one."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx
import numpy as np

from tests.fuzz.mutations import mutated
from tests.support.bad_images import INSIDE, bad_images, odd_but_good
from tests.support.drawn import ENCODINGS, encode, picture
from tests.support.gateway import FACES, VISUAL
from triptych.async_client import AsyncClient
from triptych.errors import InvalidInput, TriptychError
from triptych.retry import RetryPolicy
from triptych_server.benchmark.memory import Memory

AT_ONCE = 8
GOOD_EVERY = 4
LOOK_EVERY = 100
DEADLINE = 60.0
"""Seconds; a request that takes longer hangs."""
REFUSALS = frozenset({"400", "413", "422", "InvalidInput"})
ANSWERS = frozenset({"200", "answer"})


@dataclass(frozen=True, slots=True)
class Servers:
    """Where they listen, their processes, and their logs."""

    triton: str
    gateway: str
    pids: tuple[int, ...]
    logs: tuple[Path, ...]


@dataclass(slots=True)
class Outcome:
    """`statuses` of the mutated pictures, by whom they went to; `good`: requests whose answers were known, `equal` those that were so to
    the bit, `worst` the largest difference of a number; `memory`: (pictures sent, PSS in MiB)."""

    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    good: int = 0
    equal: int = 0
    worst: float = 0.0
    slowest: float = 0.0
    memory: list[tuple[int, float]] = field(default_factory=list)
    logged: int = 0


class Storm:
    """One run; the same `random` sends the same bytes. `group`: a good picture with faces."""

    def __init__(self, servers: Servers, group: bytes, random: Random) -> None:
        self._servers = servers
        self._random = random
        small = [encode(picture(), kind) for kind in ENCODINGS]
        large = [encode(picture(900, 700), kind) for kind in ("jpeg", "progressive", "webp", "png")]
        odd = [data for _, data in odd_but_good()]
        bad = [case.data for case in bad_images()]
        self._bases = ([*small, *large], [group], odd, odd, bad)  # one of five is broken before it is changed: sound ones get further
        self._known = [group, encode(picture(300, 200), "jpeg"), encode(picture(90, 120), "png")]
        self.outcome = Outcome()

    async def run(self, pictures: int, told: Callable[[str], None] = lambda line: None) -> Outcome:
        """Send that many mutated pictures."""
        limits = httpx.Limits(max_connections=AT_ONCE)
        async with (
            AsyncClient(self._servers.triton, timeout=DEADLINE, retry=RetryPolicy.never()) as self._triton,
            httpx.AsyncClient(base_url=self._servers.gateway, timeout=DEADLINE, trust_env=False, limits=limits) as self._gateway,
        ):
            expected = [await self._numbers(data) for data in self._known]
            before = sum(log.stat().st_size for log in self._servers.logs)
            for start in range(0, pictures, LOOK_EVERY):
                share = [self._next() for _ in range(min(LOOK_EVERY, pictures - start))]
                slots = asyncio.Semaphore(AT_ONCE)
                await asyncio.gather(*(self._one(start + index, data, expected, slots) for index, data in enumerate(share)))
                used = sum(Memory.read(pid).pss for pid in self._servers.pids)
                self.outcome.memory.append((start + len(share), used))
                if (start // LOOK_EVERY) % 10 == 9:
                    told(f"{start + len(share):,} pictures, {used:,.0f} MiB")
            self.outcome.logged = sum(log.stat().st_size for log in self._servers.logs) - before
        return self.outcome

    def _next(self) -> bytes:
        return mutated(self._random.choice(self._random.choice(self._bases)), self._random)

    async def _one(self, index: int, data: bytes, expected: list[np.ndarray], slots: asyncio.Semaphore) -> None:
        async with slots:
            began = time.monotonic()
            whom, ask = ("gateway", self._by_gateway) if index % 2 else ("triton", self._by_triton)
            status, text = await ask(data)
            self.outcome.statuses[whom, status] += 1
            self.outcome.slowest = max(self.outcome.slowest, time.monotonic() - began)
            if status not in REFUSALS | ANSWERS or (status in REFUSALS and INSIDE.search(text)):
                self.outcome.failures.append(f"picture {index} to {whom}: {status} {text[:300]}")
            if index % GOOD_EVERY == 0:
                await self._neighbour(index // GOOD_EVERY % len(self._known), expected)

    async def _neighbour(self, which: int, expected: list[np.ndarray]) -> None:
        self.outcome.good += 1
        try:
            numbers = await self._numbers(self._known[which])
        except TriptychError as error:
            self.outcome.failures.append(f"good picture {which}: {type(error).__name__} {error}")
            return
        if numbers.shape != expected[which].shape:
            self.outcome.failures.append(f"good picture {which}: {numbers.shape} numbers, expected {expected[which].shape}")
            return
        self.outcome.equal += bool((numbers == expected[which]).all())
        self.outcome.worst = max(self.outcome.worst, float(abs(numbers - expected[which]).max()))

    async def _numbers(self, data: bytes) -> np.ndarray:
        """All embeddings of a picture, the photo's and the faces'."""
        found = await self._triton.analyze(data)
        return _joined(found)

    async def _by_triton(self, data: bytes) -> tuple[str, str]:
        try:
            await self._triton.analyze(data)
        except InvalidInput as error:
            return "InvalidInput", str(error)
        except TriptychError as error:
            return type(error).__name__, str(error)
        return "answer", ""

    async def _by_gateway(self, data: bytes) -> tuple[str, str]:
        form = {"entries": json.dumps(VISUAL | FACES)}
        try:
            answer = await self._gateway.post("/predict", data=form, files={"image": ("blob", data)})
        except httpx.HTTPError as error:
            return type(error).__name__, str(error)
        return str(answer.status_code), answer.text


def _joined(found) -> np.ndarray:
    return np.concatenate([found.embedding, *(face.embedding for face in found.faces)])
