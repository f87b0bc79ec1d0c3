"""Stack the requests of a batch into one set of arrays, and split what came out among them again."""

from collections.abc import Sequence

import numpy as np

from triptych_server.sessions.protocol import Arrays


def stack(requests: Sequence[Arrays]) -> Arrays:
    """Join the requests along the batch axis (axis 0); a single one is passed on as it is, without a copy.

    Every request has the same names and, but for the batch axis, the same shapes: Triton batches no others together.
    """
    if len(requests) == 1:
        return requests[0]
    return {name: np.concatenate([request[name] for request in requests]) for name in requests[0]}


def batch_size(request: Arrays) -> int:
    """Rows of a request: the length of the batch axis."""
    return len(next(iter(request.values())))


def split(outputs: Arrays, sizes: Sequence[int]) -> list[Arrays]:
    """Cut outputs along the batch axis, `sizes[i]` rows for request i; views, no copies.

    Raises ValueError when the outputs do not hold as many rows as were put in.
    """
    rows = {name: len(array) for name, array in outputs.items()}
    if any(count != sum(sizes) for count in rows.values()):
        raise ValueError(f"the graph answered {rows} rows to a batch of {sum(sizes)}: its batch axis is not a true one")
    ends = np.cumsum(sizes)
    return [{name: array[end - size : end] for name, array in outputs.items()} for size, end in zip(sizes, ends, strict=True)]
