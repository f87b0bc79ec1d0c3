"""A decoder gets no more memory: the kernel kills it, and it comes back; or it is refused, tells the caller so and lives on."""

import asyncio
from io import BytesIO

from PIL import Image

from loadtest.chaos.scarce_memory import killed_when_short, refused_when_short
from loadtest.chaos.scenarios.killed_stubs import WITHIN, until_replaced
from loadtest.chaos.stage import Scenario, Stage, start_again
from loadtest.questions import Asker, Fate, Question, Reply

MODEL = "photo_preprocess"
LARGE = (6000, 4000)
"""Pixels of a photo that takes 72 MB, more than the process holds in reserve."""


def killed(stage: Stage) -> None:
    """By the kernel, for a cgroup's limit."""
    stub = stage.server.stubs[MODEL]
    with killed_when_short(stub):
        stage.broken_now()
        until_replaced(MODEL, stub.pid, stage)


def refused(stage: Stage) -> None:
    """Allocations fail for a while, and a large photo with them; the process must survive that, and small ones not notice."""
    stub, large = stage.server.stubs[MODEL], BytesIO()
    Image.new("RGB", LARGE, "teal").save(large, "PNG")
    with refused_when_short(stub):
        stage.broken_now()
        reply = asyncio.run(_asked(stage.server.address, Question.about_photo("large", large.getvalue(), "photo", ("size",))))
    if reply.fate is not Fate.BAD_INPUT:
        raise RuntimeError(f"a photo without memory for it was to be refused; it was {reply.fate}: {reply.said}")
    stage.note(f"a photo of 24 megapixels was told: {reply.said}")
    if stage.server.stubs[MODEL].pid != stub.pid:
        raise RuntimeError(f"{MODEL} did not survive it: it has another process")


async def _asked(address: str, question: Question) -> Reply:
    async with Asker(address) as asker:
        return await asker.ask(question)


SCENARIOS = (
    Scenario("out of memory: killed", killed, start_again, frozenset({Fate.NOT_THERE, Fate.FAILED}), WITHIN),
    Scenario("out of memory: refused", refused, start_again),
)
