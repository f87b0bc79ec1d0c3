"""What comes back: embeddings as arrays, and next to the picture they are of."""

from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Embedding = NDArray[np.float32]
T = TypeVar("T")


class Embedded(NamedTuple, Generic[T]):
    """One picture of a bulk run, as it was handed in, and its embedding: float32 [D], unit length."""

    image: T
    embedding: Embedding
