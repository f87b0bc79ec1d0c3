"""Photos that show the same: embeddings in, groups of owners out."""

import numpy as np
from numpy.typing import NDArray

from triptych.library.errors import LibraryIncomplete
from triptych.library.vectors import Snapshot

ALIKE = 0.98  # cosine
_PART = 512  # rows compared with all others at a time


def groups(snapshot: Snapshot, threshold: float = ALIKE) -> list[list[int]]:
    """Owners whose embeddings reach `threshold`, directly or through others; groups of two and more, the largest first."""
    try:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
    except ModuleNotFoundError as error:
        raise LibraryIncomplete(error) from None
    rows = snapshot.rows.astype(np.float32)
    count = len(rows)
    labels: NDArray[np.int64] = np.arange(count)
    for start in range(0, count, _PART):
        near = rows[start : start + _PART] @ rows[start:].T >= threshold
        one, other = (place + start for place in np.nonzero(near))
        # What is known of earlier parts goes in as one edge for each photo, so that edges never pile up.
        edges = np.concatenate([one, np.arange(count)]), np.concatenate([other, labels])
        graph = coo_array((np.ones(len(edges[0]), np.int8), edges), shape=(count, count))
        _, component = connected_components(graph, directed=False)
        first = np.full(int(component.max(initial=-1)) + 1, count)
        np.minimum.at(first, component, np.arange(count))
        labels = first[component]
    order = np.argsort(labels, kind="stable")
    found = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if count else []
    alike = [sorted(snapshot.owners[members].tolist()) for members in found if len(members) > 1]
    return sorted(alike, key=lambda members: (-len(members), members))
