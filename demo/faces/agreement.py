"""How well groups of faces agree with who the faces are: precision and recall over pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of all pairs of faces put together, the share that is one person; of all pairs of one person, missed faces too, the share put
    together; and how many groups of two faces or more there are.
    """

    precision: float
    recall: float
    groups: int

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


def agreement(groups: Sequence[Sequence[int]], who: Sequence[int], missed: Sequence[int] = ()) -> Agreement:
    """Compare `groups` of rows with `who` each row is; `missed`: people's faces that are in no group."""
    together = right = 0
    for group in groups:
        _, counts = np.unique([who[row] for row in group], return_counts=True)
        together, right = together + _pairs(len(group)), right + sum(map(_pairs, counts.tolist()))
    _, counts = np.unique([*who, *missed], return_counts=True)
    wanted = sum(map(_pairs, counts.tolist()))
    found = sum(len(group) > 1 for group in groups)
    return Agreement(right / together if together else 1.0, right / wanted if wanted else 1.0, found)


def _pairs(count: int) -> int:
    return count * (count - 1) // 2
