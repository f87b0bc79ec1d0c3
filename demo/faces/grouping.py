"""Who is who: embeddings of faces in, groups of faces that are one person out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAME_PERSON = 0.38  # mean cosine of two groups from which on they are one person; `python -m demo.faces.evaluate_grouping` finds it


def group_faces(embeddings: NDArray[np.float32], threshold: float = SAME_PERSON) -> list[list[int]]:
    """Average linkage: the two groups with the highest mean cosine become one, until none reaches `threshold`.

    `embeddings` f32 [N, D] of unit length. Returns rows, each group's in order, the largest group first.
    """
    groups = [[row] for row in range(len(embeddings))]
    sums = embeddings.astype(np.float64)
    sizes = np.ones(len(groups))
    while len(groups) > 1:
        # The mean cosine of all pairs between two groups is the product of their means.
        near = (sums @ sums.T) / (sizes[:, None] * sizes)
        np.fill_diagonal(near, -np.inf)
        one, other = sorted(divmod(int(near.argmax()), len(groups)))
        if near[one, other] < threshold:
            break
        groups[one] += groups.pop(other)
        sums[one] += sums[other]
        sizes[one] += sizes[other]
        sums, sizes = np.delete(sums, other, axis=0), np.delete(sizes, other)
    return sorted((sorted(group) for group in groups), key=lambda group: (-len(group), group))
