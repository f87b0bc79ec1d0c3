"""Encoded photo -> what the face models look at: the detector's square first, the aligned crops once faces are found."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from triptych_server.errors import ConfigError
from triptych_server.options import options_from_parameters
from triptych_server.vision.alignment import CROP, aligned_crops, crop_scale
from triptych_server.vision.decode import Limits, Picture, decode_picture
from triptych_server.vision.letterbox import letterbox, letterbox_min_side

Decode = Literal["scaled", "exact"]

_HEADROOM = 2.0  # stored pixels per pixel of a crop: 0.995 to 1 (cosine) to the embedding from all pixels; 1.0 would be 0.98


@dataclass(frozen=True, slots=True)
class FacePixels:
    """How photos are decoded for faces. `scaled` decodes a JPEG at the fraction that the square or the smallest face needs,
    `exact` always in full. Raises ConfigError for settings that make no sense."""

    decode: Decode = "scaled"
    max_pixels: int = 100_000_000
    max_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        if self.decode not in get_args(Decode):
            raise ConfigError(f"The parameter decode is {self.decode!r}; expected {' or '.join(get_args(Decode))}.")
        for name in ("max_pixels", "max_bytes"):
            if not 1 <= (value := getattr(self, name)) <= 1 << 31:
                raise ConfigError(f"The parameter {name} is {value}; expected 1 to {1 << 31}.")

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> Self:
        """From the `parameters` of a config.pbtxt. Raises ConfigError."""
        return options_from_parameters(cls, parameters)

    def square(self, data: bytes | memoryview) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """The detector's square uint8 [640,640,3] and the upright photo's width and height, int32 [2].

        Raises InvalidImageError or ImageTooLargeError, nothing else. Thread-safe; the heavy part runs without the GIL.
        """
        picture = decode_picture(data, self._limits, letterbox_min_side if self.decode == "scaled" else None)
        return letterbox(picture), upright_size(picture)

    def crops(self, data: bytes | memoryview, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Aligned faces uint8 [N,112,112,3] for landmarks [N,5,2] in pixels of the upright photo. Raises as `square` does."""
        if not len(landmarks):
            return np.empty((0, CROP, CROP, 3), np.uint8)
        wanted = min(_HEADROOM * crop_scale(landmarks), 1.0)
        scaled = self.decode == "scaled"
        picture = decode_picture(data, self._limits, (lambda width, height: ceil(min(width, height) * wanted)) if scaled else None)
        return aligned_crops(picture, landmarks)

    @property
    def _limits(self) -> Limits:
        return Limits(self.max_bytes, self.max_pixels)


def upright_size(picture: Picture) -> NDArray[np.int32]:
    """Width and height, int32 [2]."""
    return np.array(picture.orientation.upright_size(picture.width, picture.height), np.int32)
