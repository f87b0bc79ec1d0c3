"""What turning a photo into pixels costs: (corpus) -> CPU milliseconds and error of scaled, exact and plain decoding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loadtest.baselines.plain_search import SIZE, decode
from triptych_server.benchmark.diagnosis.steps import round_ms
from triptych_server.vision.clip_transform import ClipTransform

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PreprocessCost:
    """CPU milliseconds per photo, one value per round, and the mean absolute difference from the plain decode, in 1/255."""

    scaled_ms: tuple[float, ...]
    exact_ms: tuple[float, ...]
    plain_ms: tuple[float, ...]
    scaled_error: float
    exact_error: float


def measure_preprocessing(jpegs: Sequence[bytes], rounds: int) -> PreprocessCost:
    """Run the three in turns over the whole corpus, `rounds` times, after one round that is not counted."""
    ways: tuple[Callable[[bytes], Pixels], ...] = (ClipTransform(SIZE, decode="scaled"), ClipTransform(SIZE, decode="exact"), decode)
    times = [[round_ms(way, jpegs) for way in ways] for _ in range(rounds + 1)][1:]
    scaled, exact, plain = zip(*times, strict=True)
    return PreprocessCost(scaled, exact, plain, *(mean_difference(way, decode, jpegs) for way in ways[:2]))


def mean_difference(one: Callable[[bytes], Pixels], other: Callable[[bytes], Pixels], jpegs: Sequence[bytes]) -> float:
    """Mean over photos, pixels and channels of |one - other|, in steps of 1/255."""
    return float(np.mean([np.abs(one(j).astype(np.int16) - other(j)).mean() for j in jpegs]))
