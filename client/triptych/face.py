"""`Face`: one face of a photo, as a value that can be compared, kept in sets and handed around safely."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Box = tuple[float, float, float, float]
LANDMARKS = (5, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A found face. All coordinates are in pixels of the upright photo and may lie a little outside of it.

    `box`: x1, y1, x2, y2. `landmarks`: float32 [5,2], x and y of the eye, eye, nose, mouth corner and mouth corner, the
    ones on the picture's left first. `score`: how sure the detector is, 0 to 1. `embedding`: float32 [D], unit length;
    the cosine of two is their product. Both arrays are copies and read-only. Raises ValueError for other shapes.
    """

    box: Box
    landmarks: NDArray[np.float32] = field(repr=False)
    score: float
    embedding: NDArray[np.float32] = field(repr=False)

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = map(float, self.box)
        object.__setattr__(self, "box", (x1, y1, x2, y2))
        object.__setattr__(self, "score", float(self.score))
        object.__setattr__(self, "landmarks", readonly(self.landmarks))
        object.__setattr__(self, "embedding", readonly(self.embedding))
        if self.landmarks.shape != LANDMARKS or self.embedding.ndim != 1:
            shapes = f"{list(self.landmarks.shape)} and {list(self.embedding.shape)}"
            raise ValueError(f"a face has landmarks [5,2] and an embedding [D], not {shapes}")

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Face):
            return NotImplemented
        return (
            (self.box, self.score) == (other.box, other.score)
            and np.array_equal(self.landmarks, other.landmarks)
            and np.array_equal(self.embedding, other.embedding)
        )

    def __hash__(self) -> int:
        return hash((self.box, self.score))


def readonly(values: ArrayLike) -> NDArray[np.float32]:
    """A float32 copy that nobody can write to."""
    array = np.array(values, dtype=np.float32)
    array.flags.writeable = False
    return array
