"""The proof of a conversion: what the served graph gives and what the compiled network gives for the same rows in, how far apart out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych_server.errors import ConversionError
from triptych_server.sessions.protocol import Arrays


@dataclass(frozen=True, slots=True)
class Limits:
    """The least cosine of an embedding, and the most that coordinates (in pixels) and scores of any anchor may be apart."""

    cosine: float
    pixels: float
    score: float


HALF_PRECISION = Limits(cosine=0.999, pixels=4.0, score=0.02)
"""Eleven bits: at 640 pixels one step is 0.5, and a few roundings follow each other."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was found; `cosine` for networks that embed, the others for those that detect."""

    cosine: float | None = None
    pixels: float | None = None
    score: float | None = None

    def __str__(self) -> str:
        if self.cosine is not None:
            return f"cosine {self.cosine:.6f}"
        return f"{self.pixels:.2f} pixels and {self.score:.4f} of score apart"


def check_agreement(wanted: Arrays, found: Arrays, limits: Limits) -> Agreement:
    """Compare served outputs by name, `embedding` [N,D] or `boxes`, `scores` and `landmarks`. ConversionError when over the limits."""
    for name, array in wanted.items():
        if found[name].shape != array.shape:
            raise ConversionError(f"the converted network gives {name} {list(found[name].shape)}; expected {list(array.shape)}")
        if not np.isfinite(found[name]).all():
            raise ConversionError(f"the converted network gives infinite {name}: a number inside it is too large for half precision")
    if "embedding" in wanted:
        agreement = Agreement(cosine=_cosine(wanted["embedding"], found["embedding"]))
        ok = (agreement.cosine or 0) >= limits.cosine
    else:
        pixels = max(_apart(wanted[name], found[name]) for name in ("boxes", "landmarks"))
        score = _apart(wanted["scores"], found["scores"])
        agreement, ok = Agreement(pixels=pixels, score=score), pixels <= limits.pixels and score <= limits.score
    if not ok:
        raise ConversionError(f"the converted network does not agree with the served graph: {agreement}, {_expected(limits, agreement)}")
    return agreement


def _expected(limits: Limits, agreement: Agreement) -> str:
    if agreement.cosine is not None:
        return f"expected at least {limits.cosine:g}"
    return f"expected at most {limits.pixels:g} and {limits.score:g}"


def _cosine(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    """The worst over all rows."""
    a, b = wanted.astype(np.float64), found.astype(np.float64)
    return float(((a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))).min())


def _apart(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    return float(np.abs(wanted.astype(np.float64) - found).max())
