"""Options of a search for faces -> the optional input tensors; only what is given is sent."""

import math
import numbers
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.errors import InvalidInput

LARGEST = 2**31 - 1  # max_faces travels as INT32


@dataclass(frozen=True, slots=True)
class FaceOptions:
    """`min_score`: faces that are less sure are left out, 0 to 1. `max_faces`: only the surest so many, 0 for all.

    None leaves the choice to the server. Raises InvalidInput.
    """

    min_score: float | None = None
    max_faces: int | None = None

    def __post_init__(self) -> None:
        score, count = self.min_score, self.max_faces
        if score is not None and (
            not isinstance(score, numbers.Real) or isinstance(score, bool) or math.isnan(score) or not 0 <= score <= 1
        ):
            raise InvalidInput(f"min_score is a number from 0 to 1, not {score!r}")
        if count is not None and (not isinstance(count, numbers.Integral) or isinstance(count, bool) or not 0 <= count <= LARGEST):
            raise InvalidInput(f"max_faces is a whole number, 0 (all) or more, not {count!r}")

    @property
    def given(self) -> bool:
        return self.min_score is not None or self.max_faces is not None

    def tensors(self) -> dict[str, NDArray[np.float32] | NDArray[np.int32]]:
        """The inputs to send along: FP32 [1,1] and INT32 [1,1]."""
        tensors: dict[str, NDArray[np.float32] | NDArray[np.int32]] = {}
        if self.min_score is not None:
            tensors["min_score"] = np.array([[self.min_score]], dtype=np.float32)
        if self.max_faces is not None:
            tensors["max_faces"] = np.array([[self.max_faces]], dtype=np.int32)
        return tensors
