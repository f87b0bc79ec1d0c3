"""What comes back: embeddings, faces and whole analyses, and in bulk runs each next to the picture it is of."""

from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from triptych.face import Face, readonly

Embedding = NDArray[np.float32]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """Everything asked about one photo; None stands for what was not asked.

    `embedding`: float32 [D], unit length, read-only. `faces`: the surest first; () where there are none. `size`: width and
    height of the upright photo, in pixels.
    """

    embedding: Embedding | None = field(repr=False)
    faces: tuple[Face, ...] | None
    size: tuple[int, int]

    def __post_init__(self) -> None:
        if self.embedding is not None:
            object.__setattr__(self, "embedding", readonly(self.embedding))
        if self.faces is not None:
            object.__setattr__(self, "faces", tuple(self.faces))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Analysis):
            return NotImplemented
        if self.embedding is None or other.embedding is None:
            same = self.embedding is other.embedding
        else:
            same = np.array_equal(self.embedding, other.embedding)
        return same and (self.size, self.faces) == (other.size, other.faces)

    def __hash__(self) -> int:
        return hash((self.size, self.faces))


class Embedded(NamedTuple, Generic[T]):
    """One picture of a bulk run, as it was handed in, and its embedding: float32 [D], unit length."""

    image: T
    embedding: Embedding


class Found(NamedTuple, Generic[T]):
    """One picture of a bulk run, as it was handed in, and its faces, the surest first."""

    image: T
    faces: list[Face]


class Analyzed(NamedTuple, Generic[T]):
    """One picture of a bulk run, as it was handed in, and its analysis."""

    image: T
    analysis: Analysis
