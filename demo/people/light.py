"""The light of a picture with people and what the camera makes of it: gains, contrast, blur, grain."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Self

import numpy as np
from PIL import Image, ImageFilter


@dataclass(frozen=True, slots=True)
class Light:
    """`gains` on red, green and blue of the people alone; `exposure` and `contrast` of the picture around 1; `blur` and `grain` in
    pixels and levels.
    """

    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    exposure: float = 1.0
    contrast: float = 1.0
    blur: float = 0.0
    grain: float = 1.0

    @classmethod
    def of(cls, rng: Random) -> Self:
        """Any light."""
        warmth, dim = rng.triangular(-0.12, 0.12, 0), rng.triangular(0.78, 1.06, 1.0)
        return cls(
            gains=(dim * (1 + warmth), dim, dim * (1 - warmth)),
            exposure=rng.triangular(0.7, 1.2, 1.0),
            contrast=rng.triangular(0.75, 1.15, 1.0),
            blur=rng.choice((0.0, 0.0, 0.0, rng.uniform(0.3, 0.9))),
            grain=rng.uniform(0.2, 4.0),
        )


def develop(image: Image.Image, light: Light, seed: int) -> Image.Image:
    """The picture under that light; the same seed gives the same grain."""
    if light.blur:
        image = image.filter(ImageFilter.GaussianBlur(light.blur))
    pixels = np.asarray(image, dtype=np.float32)
    noise = np.random.default_rng(seed).standard_normal((*pixels.shape[:2], 1), dtype=np.float32)
    lit = ((pixels - 128) * light.contrast + 128) * light.exposure + noise * light.grain
    return Image.fromarray(lit.clip(0, 255).astype(np.uint8), "RGB")
