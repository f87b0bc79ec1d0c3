"""Do both services compute the same thing: (photos, both URLs) -> the smallest cosine between their embeddings."""

import asyncio
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from loadtest.clients import Connect, plain, triton
from loadtest.services import Service, TritonService

ENOUGH = 0.99
"""Scaled decoding and bf16 against full decoding and f32 give 0.9986 and more; two different pictures at most 0.944."""


def check_agreement(ours: TritonService, baseline: Service, jpegs: Sequence[bytes]) -> float:
    """The smallest cosine over the photos; RuntimeError when the two do not agree, for then no ratio would mean anything."""
    one, other = (asyncio.run(_embeddings(connect, service.url, jpegs)) for connect, service in ((triton, ours), (plain, baseline)))
    smallest = float((one * other).sum(axis=1).min())
    if smallest < ENOUGH:
        raise RuntimeError(f"the services' embeddings of one photo have a cosine of {smallest:.4f}, at least {ENOUGH} was expected")
    return smallest


async def _embeddings(connect: Connect, url: str, jpegs: Sequence[bytes]) -> npt.NDArray[np.float64]:
    """[N,D], unit length, in the order of the photos."""
    async with connect(url, jpegs) as send:
        return np.stack([await send() for _ in jpegs])
