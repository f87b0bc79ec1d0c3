"""CLIP's image transform: encoded bytes -> decode -> resize and centre crop in one step -> uint8[S,S,3] RGB, upright."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image, Resampling

from triptych_server.errors import ConfigError
from triptych_server.options import options_from_parameters
from triptych_server.vision.decode import Limits, Picture, decode_picture
from triptych_server.vision.orientation import Box

ResizeMode = Literal["shortest", "squash"]
Interpolation = Literal["bicubic", "bilinear"]
Decode = Literal["scaled", "exact"]

_RESAMPLING = {"bicubic": Resampling.BICUBIC, "bilinear": Resampling.BILINEAR}
_HEADROOM = 1.6  # a reduced JPEG keeps this many pixels per output pixel: 0.9/255 off at worst on photos (1.4: 1.2)
_LONGEST_RESIZED = 16  # times size
_REDUCING_GAP = 2.0  # the same thought for big pictures that cannot be decoded reduced: average whole pixels first


@dataclass(frozen=True, slots=True)
class ClipTransform:
    """Callable: encoded bytes -> uint8[size,size,3] RGB, C-contiguous.

    `shortest` resizes the shorter side to `size` and crops the centre, as OpenCLIP does; `squash` ignores the proportions.
    `exact` equals OpenCLIP's transform to rounding; `scaled` differs from it by less than 1/255 on average and is three times
    cheaper for JPEGs much larger than `size`. Raises ConfigError for settings that make no sense.
    """

    size: int
    resize_mode: ResizeMode = "shortest"
    interpolation: Interpolation = "bicubic"
    decode: Decode = "scaled"
    max_pixels: int = 100_000_000
    max_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        for name, kind in (("resize_mode", ResizeMode), ("interpolation", Interpolation), ("decode", Decode)):
            if (value := getattr(self, name)) not in get_args(kind):
                raise ConfigError(f"The parameter {name} is {value!r}; expected {' or '.join(get_args(kind))}.")
        for name, low, high in (("size", 16, 4096), ("max_pixels", 1, 1 << 31), ("max_bytes", 1, 1 << 31)):
            if not low <= (value := getattr(self, name)) <= high:
                raise ConfigError(f"The parameter {name} is {value}; expected {low} to {high}.")

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> Self:
        """From the `parameters` of clip_preprocess' config.pbtxt; only `size` has no default. Raises ConfigError."""
        return options_from_parameters(cls, parameters)

    def __call__(self, data: bytes | memoryview) -> NDArray[np.uint8]:
        """Raises InvalidImageError or ImageTooLargeError, nothing else. Thread-safe; the heavy part runs without the GIL."""
        return self.of(self.decoded(data))

    def decoded(self, data: bytes | memoryview) -> Picture:
        """What `of` takes. Raises as a call does."""
        return decode_picture(data, Limits(self.max_bytes, self.max_pixels), self.min_side)

    @property
    def min_side(self) -> int | None:
        """How many pixels the shorter side must keep in decoding; None: decode in full."""
        return None if self.decode == "exact" else ceil(_HEADROOM * self.size)

    def of(self, picture: Picture) -> NDArray[np.uint8]:
        """The transform of a picture that is decoded already, with at least `min_side`."""
        small = self._exact(picture.orientation.upright(picture.image)) if self.decode == "exact" else self._scaled(picture)
        return np.array(small.convert("RGB"), dtype=np.uint8, order="C")

    def _exact(self, image: Image) -> Image:
        """Resize all of the upright picture, then crop: Pillow's order of rounding depends on the shape, so nothing less is equal."""
        width, height = self._resized_size(*image.size)
        if max(width, height) > _LONGEST_RESIZED * self.size:  # a thread of a picture would become a giant
            return self._resize(image, self._part_shown(*image.size), 1.0, None)
        left, top = self._margins(width, height)
        resized = image.resize((width, height), _RESAMPLING[self.interpolation])
        return resized.crop((left, top, left + self.size, top + self.size))

    def _scaled(self, picture: Picture) -> Image:
        """Compute the part that is shown and nothing else; turn it upright last, where that costs nothing."""
        width, height, turn = picture.width, picture.height, picture.orientation
        part = turn.to_stored(self._part_shown(*turn.upright_size(width, height)), width, height)
        return turn.upright(self._resize(picture.image, part, picture.scale, _REDUCING_GAP))

    def _resize(self, image: Image, part: Box, scale: float, reducing_gap: float | None) -> Image:
        """`part` (in pixels of the full picture, of which `image` has `scale`) at size x size."""
        box = (
            max(part.left * scale, 0.0),
            max(part.top * scale, 0.0),
            min(part.right * scale, float(image.width)),
            min(part.bottom * scale, float(image.height)),
        )
        return image.resize((self.size, self.size), _RESAMPLING[self.interpolation], box, reducing_gap)

    def _part_shown(self, width: int, height: int) -> Box:
        """The part of the upright picture of `width` x `height` that becomes the output."""
        resized_width, resized_height = self._resized_size(width, height)
        left, top = self._margins(resized_width, resized_height)
        per_x, per_y = width / resized_width, height / resized_height
        return Box(left * per_x, top * per_y, (left + self.size) * per_x, (top + self.size) * per_y)

    def _resized_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height before the crop; the longer side is cut to a whole number, as torchvision's Resize does."""
        if self.resize_mode == "squash":
            return self.size, self.size
        shorter = min(width, height)
        return self.size * width // shorter, self.size * height // shorter

    def _margins(self, width: int, height: int) -> tuple[int, int]:
        """What the crop leaves out left and above; halves are rounded to even, as torchvision's CenterCrop does."""
        return round((width - self.size) / 2), round((height - self.size) / 2)
