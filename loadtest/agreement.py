"""Do both services answer the same: (photos, a task of each) -> the smallest cosine between their embeddings."""

import asyncio
from collections.abc import Sequence

import numpy as np

from loadtest.connections import CONNECTIONS, Answer, Task
from loadtest.services import Service, TritonService

SEARCH = 0.99
"""Scaled decoding and bf16 against full decoding and f32 give 0.9986 and more; two different pictures at most 0.944."""
FACES = 0.9
"""The plain way samples large faces without smoothing them, ours decodes them smaller: 0.93 and more; two people are 0.0 on the average."""
PIXELS = 0.01
"""How far box edges may lie apart, as a share of the largest coordinate: a scaled decode and bf16 move them by a few pixels."""


def check_agreement(ours: tuple[Task, TritonService], baseline: tuple[Task, Service], jpegs: Sequence[bytes], least: float) -> float:
    """The smallest cosine over photos and faces; RuntimeError when the two do not agree, for then no ratio would mean anything."""
    pairs = list(zip(*(asyncio.run(_answers(task, service.url, jpegs)) for task, service in (ours, baseline)), strict=True))
    return min((_agree(one, other, least) for one, other in pairs), default=1.0)


def _agree(one: Answer, other: Answer, least: float) -> float:
    if len(one.embeddings) != len(other.embeddings):
        raise RuntimeError(f"the services found {len(one.boxes)} and {len(other.boxes)} faces on one photo")
    smallest = 1.0
    for at, embedding in enumerate(one.embeddings):
        partner = _partner(one, other, at)
        smallest = min(smallest, float(embedding @ other.embeddings[partner]))
    if smallest < least:
        raise RuntimeError(f"the services' embeddings of one photo or face have a cosine of {smallest:.4f}, at least {least} was expected")
    return smallest


def _partner(one: Answer, other: Answer, at: int) -> int:
    """The row of the other answer that is this embedding's: the same face, whose boxes lie within PIXELS."""
    if not len(one.boxes):
        return at
    apart = np.abs(other.boxes - one.boxes[at]).max(axis=1)
    if apart.min() > PIXELS * one.boxes.max():
        raise RuntimeError(f"the services' boxes of one face lie {apart.min():.0f} pixels apart")
    return int(apart.argmin())


async def _answers(task: Task, url: str, jpegs: Sequence[bytes]) -> list[Answer]:
    """In the order of the photos."""
    async with CONNECTIONS[task](url, jpegs) as send:
        return [await send() for _ in jpegs]
