"""Rows of several requests -> chunks through one call -> each request's rows again; a failing chunk fails only those who had rows in it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]
Call = Callable[[Rows], Rows]
"""[n, ...] in, [n, ...] out, n at least 1 and at most the chunk."""


def call_in_chunks(parts: Sequence[Rows], call: Call, chunk: int) -> list[Rows | Exception]:
    """Join the parts [n_i, ...], n_i at least 1, call with at most `chunk` rows at a time, give part i its n_i answers.

    Where a call raised, the parts that had rows in it get its exception instead.
    """
    rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
    answers = [_attempt(call, rows[start : start + chunk]) for start in range(0, len(rows), chunk)]
    ends = np.cumsum([len(part) for part in parts]).tolist()
    return [_collect(answers, end - len(part), end, chunk) for part, end in zip(parts, ends, strict=True)]


def _attempt(call: Call, rows: Rows) -> Rows | Exception:
    try:
        answer = call(rows)
    except Exception as error:
        return error
    return answer if len(answer) == len(rows) else ValueError(f"{len(answer)} answers to {len(rows)} rows")


def _collect(answers: Sequence[Rows | Exception], start: int, end: int, chunk: int) -> Rows | Exception:
    """Rows `start` to `end` of all answers, of which each has `chunk` rows but for the last; or the first exception among them."""
    first = start // chunk
    good: list[Rows] = []
    for answer in answers[first : -(-end // chunk)]:
        if isinstance(answer, Exception):
            return answer
        good.append(answer)
    return np.concatenate(good)[start - first * chunk : end - first * chunk]
