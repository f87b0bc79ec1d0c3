"""Batches for runtimes that compile a graph for each shape: filled up to the next size that it was compiled for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych_server.errors import InvalidInputError
from triptych_server.sessions.protocol import Arrays


def size_for(rows: int, sizes: Sequence[int]) -> int:
    """The smallest of the ascending `sizes` that holds `rows`; InvalidInputError when none does."""
    for size in sizes:
        if rows <= size:
            return size
    raise InvalidInputError(f"a batch of {rows} was sent; the model takes up to {sizes[-1]}")


def filled(feeds: Arrays, size: int) -> Arrays:
    """Arrays [n, ...] as [size, ...]: zeros for the rows that nobody asked for."""
    return {name: _fill(array, size) for name, array in feeds.items()}


def _fill(array: NDArray[Any], size: int) -> NDArray[Any]:
    rows = len(array)
    if rows == size:
        return array
    whole = np.zeros((size, *array.shape[1:]), array.dtype)
    whole[:rows] = array
    return whole
