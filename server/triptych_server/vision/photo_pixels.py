"""Encoded photo -> CLIP's square and the face detector's, from one decoding."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from triptych_server.vision.clip_transform import ClipTransform
from triptych_server.vision.decode import Limits, decode_picture
from triptych_server.vision.face_pixels import upright_size
from triptych_server.vision.letterbox import letterbox, letterbox_min_side


class Squares(NamedTuple):
    """`clip` uint8 [S,S,3], `faces` uint8 [640,640,3], `size` int32 [2]: width and height of the upright photo."""

    clip: NDArray[np.uint8]
    faces: NDArray[np.uint8]
    size: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class PhotoPixels:
    """Callable: encoded bytes -> both squares. `clip` says how to decode for both: its `decode`, `max_pixels` and `max_bytes`."""

    clip: ClipTransform

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> Self:
        """From the `parameters` of photo_preprocess' config.pbtxt, which are those of clip_preprocess. Raises ConfigError."""
        return cls(ClipTransform.from_parameters(parameters))

    def __call__(self, data: bytes | memoryview) -> Squares:
        """Raises InvalidImageError or ImageTooLargeError, nothing else. Thread-safe; the heavy part runs without the GIL."""
        clip_side = self.clip.min_side

        def larger(width: int, height: int) -> int:
            return max(clip_side or 0, letterbox_min_side(width, height))

        picture = decode_picture(data, Limits(self.clip.max_bytes, self.clip.max_pixels), None if clip_side is None else larger)
        return Squares(self.clip.of(picture), letterbox(picture), upright_size(picture))
