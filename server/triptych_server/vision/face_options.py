"""Options of one face request: the optional tensors `min_score` and `max_faces` -> checked numbers, and one tensor between our models."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from triptych_server.errors import InvalidOptionError
from triptych_server.sessions.protocol import Arrays
from triptych_server.vision.detections import MAX_FACES

MIN_SCORE = 0.7  # insightface's and Immich's default


@dataclass(frozen=True, slots=True)
class FaceOptions:
    """Faces below `min_score` (0 to 1) are left out; the `max_faces` surest are kept (0: all, which is MAX_FACES).

    Raises InvalidOptionError, with the range.
    """

    min_score: float = MIN_SCORE
    max_faces: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 1:  # NaN is in no range
            raise InvalidOptionError(f"min_score is {self.min_score:g}; expected a number from 0 to 1.")
        if not 0 <= self.max_faces <= MAX_FACES:
            raise InvalidOptionError(f"max_faces is {self.max_faces}; expected a whole number from 0 (all) to {MAX_FACES}.")

    @classmethod
    def from_inputs(cls, inputs: Arrays, row: int = 0) -> Self:
        """From `min_score` FP32 [B,1] and `max_faces` INT32 [B,1] of a request; a tensor that is not there leaves the default."""
        given = {name: _one_number(name, inputs[name][row]) for name in ("min_score", "max_faces") if name in inputs}
        return cls(min_score=float(given.get("min_score", MIN_SCORE)), max_faces=int(given.get("max_faces", 0)))

    @classmethod
    def from_tensor(cls, tensor: NDArray[np.float32]) -> Self:
        """Back from `tensor`."""
        if not np.isfinite(tensor[1]):
            raise InvalidOptionError(f"max_faces is {tensor[1]}; expected a whole number from 0 (all) to {MAX_FACES}.")
        return cls(float(tensor[0]), int(tensor[1]))

    @property
    def tensor(self) -> NDArray[np.float32]:
        """FP32 [2]: what face_preprocess hands on to face_embed."""
        return np.array([self.min_score, self.max_faces], np.float32)


def _one_number(name: str, tensor: NDArray[np.generic]) -> float | int:
    if tensor.size != 1:
        raise InvalidOptionError(f"{name} holds {tensor.size} numbers; expected one, or leave it out.")
    number: float | int = tensor.reshape(-1)[0].item()
    return number
