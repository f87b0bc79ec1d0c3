"""Who is who: embeddings of faces in, a person for each out. Faces of known people first, average linkage for the rest, part by part.

Nothing is larger than [PART, people], [PART, faces] or [2 PART, 2 PART], so that memory is bounded however many faces there are.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.library.errors import LibraryIncomplete

SAME_PERSON = 0.38  # mean cosine of two groups from which on they are one person; docs/demo.md says where it comes from
PART = 2048
NOBODY = -1
Rows = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(slots=True)
class People:
    """Sums of embeddings float32 [P,D] and counts [P] of the people (or looks of people) known so far; a number is a row of these."""

    sums: Rows
    counts: NDArray[np.int64]
    used: int = field(init=False)

    def __post_init__(self) -> None:
        self.used = len(self.counts)

    def nearest(self, faces: Rows) -> tuple[Labels, Rows]:
        """For each row the person with the highest mean cosine, and that cosine; -1 where nobody is known."""
        if not self.used:
            return np.full(len(faces), NOBODY), np.full(len(faces), -1, np.float32)
        cosines = faces @ self.means().T
        best = cosines.argmax(axis=1)
        return best.astype(np.int64), cosines[np.arange(len(faces)), best]

    def means(self) -> Rows:
        """Mean embeddings float32 [used,D]; 0 for who has no face."""
        return self.sums[: self.used] / np.maximum(self.counts[: self.used, None], 1).astype(np.float32)

    def add(self, persons: Labels, faces: Rows) -> None:
        np.add.at(self.sums, persons, faces)
        np.add.at(self.counts, persons, 1)

    def new(self, total: Rows, count: int) -> int:
        """Make a person of faces whose embeddings add up to `total` [D]; returns its number."""
        if self.used == len(self.counts):
            more = max(64, self.used)
            self.sums = np.concatenate([self.sums, np.zeros((more, self.sums.shape[1]), np.float32)])
            self.counts = np.concatenate([self.counts, np.zeros(more, np.int64)])
        self.sums[self.used], self.counts[self.used] = total, count
        self.used += 1
        return self.used - 1


def group(faces: NDArray[np.floating[Any]], old: int, people: People, threshold: float = SAME_PERSON) -> Labels:
    """A person's number for each of `faces` float [n,D], or NOBODY; `people` grows by those who are new.

    The first `old` rows were looked at before and belonged to nobody: a new face may be the second of one of theirs.
    """
    labels = np.full(len(faces), NOBODY, np.int64)
    for start in range(old, len(faces), PART):
        part = np.arange(start, min(start + PART, len(faces)))
        rows = faces[part].astype(np.float32)
        person, cosine = people.nearest(rows)
        known = cosine >= threshold
        labels[part[known]] = person[known]
        people.add(person[known], rows[known])
        left = part[~known]
        if len(left):
            _cluster(faces, labels, np.concatenate([_partners(faces, labels, left, start, threshold), left]), people, threshold)
    return labels


def linked(faces: Rows, *, threshold: float | None = None, most: int | None = None) -> Labels:
    """Average linkage on cosines: clusters with a mean cosine of at least `threshold`, or `most` clusters; numbers from 0."""
    if len(faces) < 2:
        return np.zeros(len(faces), np.int64)
    try:
        from scipy.cluster.hierarchy import fcluster, linkage
    except ModuleNotFoundError as error:
        raise LibraryIncomplete(error) from None
    distances = np.maximum(1 - faces @ faces.T, 0)[np.triu_indices(len(faces), 1)]
    tree = linkage(distances, "average")
    cut = fcluster(tree, 1 - threshold, "distance") if threshold is not None else fcluster(tree, most or 1, "maxclust")
    numbers: Labels = np.asarray(cut, np.int64) - 1
    return numbers


def alike(people: People, threshold: float) -> list[tuple[int, int]]:
    """Pairs of numbers whose mean cosine reaches `threshold`, the most alike first."""
    means = people.means()
    pairs: list[tuple[float, int, int]] = []
    for start in range(0, people.used, PART):
        cosines = np.triu(means[start : start + PART] @ means.T, start + 1)
        pairs += [(-float(cosines[row, column]), start + row, column) for row, column in np.argwhere(cosines >= threshold).tolist()]
    return [(one, other) for _, one, other in sorted(pairs)]


def _partners(faces: NDArray[np.floating[Any]], labels: Labels, left: Labels, end: int, threshold: float) -> Labels:
    """Earlier faces of nobody that are nearest to one of `left`."""
    loose = np.flatnonzero(labels[:end] == NOBODY)
    best = np.full(len(left), threshold, np.float32)
    place = np.full(len(left), NOBODY, np.int64)
    rows = faces[left].astype(np.float32)
    for start in range(0, len(loose), PART):
        some = loose[start : start + PART]
        cosines = rows @ faces[some].astype(np.float32).T
        top = cosines.argmax(axis=1)
        value = cosines[np.arange(len(left)), top]
        better = value >= best
        best[better], place[better] = value[better], some[top[better]]
    found: Labels = np.unique(place[place != NOBODY])
    return found


def _cluster(faces: NDArray[np.floating[Any]], labels: Labels, rows: Labels, people: People, threshold: float) -> None:
    """Make people of the clusters of `rows`, or find that a cluster is somebody known."""
    found = faces[rows].astype(np.float32)
    clusters = linked(found, threshold=threshold)
    order = np.argsort(clusters, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(clusters[order])) + 1):
        if len(members) < 2:
            continue
        total = found[members].sum(axis=0)
        person, cosine = people.nearest(total[None] / len(members))
        if cosine[0] >= threshold:
            labels[rows[members]] = person[0]
            people.add(np.full(len(members), person[0]), found[members])
        else:
            labels[rows[members]] = people.new(total, len(members))
