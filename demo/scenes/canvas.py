"""A canvas for backdrops: gradients, hills, glows, on a supersampled picture that a central unit square is laid over."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from demo.scenes.colour import Rgb
from demo.scenes.pen import Fill


@dataclass(slots=True)
class Canvas:
    """An RGB picture of `width` x `height` pixels; the square of side `min(width, height)` in its middle is 0..1.

    Everything that a caption speaks of lies in that square, because preprocessing crops to it.
    """

    width: int
    height: int
    image: Image.Image = field(init=False)
    draw: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        self._renew(Image.new("RGB", (self.width, self.height)))

    def _renew(self, image: Image.Image) -> None:
        self.image = image
        self.draw = ImageDraw.Draw(image, "RGBA")

    @property
    def side(self) -> int:
        """The central square's side in pixels."""
        return min(self.width, self.height)

    def x(self, u: float) -> float:
        """Pixel column of the square's `u`."""
        return (self.width - self.side) / 2 + u * self.side

    def y(self, v: float) -> float:
        """Pixel row of the square's `v`."""
        return (self.height - self.side) / 2 + v * self.side

    @property
    def left(self) -> float:
        """The canvas' left edge in units of the square (0 or less)."""
        return -(self.width - self.side) / 2 / self.side

    @property
    def right(self) -> float:
        """The right edge (1 or more)."""
        return 1 - self.left

    @property
    def top(self) -> float:
        """The upper edge (0 or less)."""
        return -(self.height - self.side) / 2 / self.side

    @property
    def bottom(self) -> float:
        """The lower edge (1 or more)."""
        return 1 - self.top

    def gradient(self, v0: float, v1: float, upper: Rgb, lower: Rgb) -> None:
        """Fill the rows from `v0` to `v1` over the whole width."""
        start, end = max(0, round(self.y(v0))), min(self.height, round(self.y(v1)))
        if end <= start:
            return
        share = np.linspace(0, 1, end - start)[:, None]
        rows = np.asarray(upper) * (1 - share) + np.asarray(lower) * share
        column = Image.fromarray(rows.round().astype(np.uint8)[:, None, :], "RGB")
        self.image.paste(column.resize((self.width, end - start)), (0, start))

    def oval(self, u: float, v: float, ru: float, rv: float, fill: Fill) -> None:
        """An upright ellipse with half axes `ru` and `rv`."""
        self.draw.ellipse((self.x(u - ru), self.y(v - rv), self.x(u + ru), self.y(v + rv)), fill=fill)

    def box(self, u0: float, v0: float, u1: float, v1: float, fill: Fill) -> None:
        """An upright rectangle."""
        self.draw.rectangle((self.x(u0), self.y(v0), self.x(u1), self.y(v1)), fill=fill)

    def shape(self, points: list[tuple[float, float]], fill: Fill) -> None:
        """A polygon."""
        self.draw.polygon([(self.x(u), self.y(v)) for u, v in points], fill=fill)

    def stroke(self, points: list[tuple[float, float]], width: float, fill: Fill) -> None:
        """A line through the points."""
        pixels = max(1, round(width * self.side))
        self.draw.line([(self.x(u), self.y(v)) for u, v in points], fill=fill, width=pixels, joint="curve")

    def ridge(self, v: float, rise: float, fill: Fill, rng: Random, *, waves: float = 2.0, floor: float | None = None) -> None:
        """Rolling land: everything below a wavy line around `v`, down to `floor` or the lower edge."""
        parts = [(waves * rng.uniform(0.6, 1.1) * k, rng.uniform(0, 2 * math.pi), rise / k) for k in (1, 2.2, 4.1)]
        columns = np.linspace(self.left, self.right, 56)
        heights = sum(size * np.sin(2 * math.pi * pace * columns + phase) for pace, phase, size in parts)
        low = self.bottom if floor is None else floor
        outline = list(zip(columns.tolist(), (v - np.asarray(heights)).tolist(), strict=True))
        self.shape([*outline, (self.right, low), (self.left, low)], fill)

    def peaks(self, v: float, rise: float, fill: Fill, snow: Fill | None, rng: Random) -> None:
        """A chain of pointed mountains that stands on `v`."""
        u = self.left - 0.15
        while u < self.right + 0.1:
            wide, high = rng.uniform(0.22, 0.4), rise * rng.uniform(0.6, 1.0)
            top = (u + wide * rng.uniform(0.42, 0.58), v - high)
            self.shape([(u - 0.06, v + 0.02), top, (u + wide + 0.06, v + 0.02)], fill)
            if snow is not None:
                a = (top[0] + (u - 0.06 - top[0]) * 0.3, top[1] + high * 0.31)
                b = (top[0] + (u + wide + 0.06 - top[0]) * 0.3, top[1] + high * 0.31)
                self.shape([top, b, ((top[0] * 2 + b[0]) / 3, b[1] - 0.03), (top[0], b[1] + 0.015), a], snow)
            u += wide * rng.uniform(0.55, 0.8)

    def glow(self, u: float, v: float, radius: float, colour: Rgb, strength: float) -> None:
        """Soft light around a point, `strength` 0..1 in its middle."""
        size = 48
        grid = np.linspace(-1, 1, size)
        fall = np.clip(1 - np.hypot(*np.meshgrid(grid, grid)), 0, 1) ** 2 * 255 * strength
        edge = max(1, round(2 * radius * self.side))
        mask = Image.fromarray(fall.astype(np.uint8)).resize((edge, edge), Image.Resampling.BILINEAR)
        corner = (round(self.x(u)) - edge // 2, round(self.y(v)) - edge // 2)
        self.image.paste(Image.new("RGB", (edge, edge), colour), corner, mask)

    def cloud(self, u: float, v: float, size: float, fill: Fill, rng: Random) -> None:
        """A cloud with a flat base; an opaque fill looks best."""
        for shift, radius in ((-0.5, 0.26), (-0.16, 0.4), (0.22, 0.34), (0.55, 0.22)):
            r = radius * size * rng.uniform(0.85, 1.1)
            self.oval(u + shift * size, v - r * 0.55, r, r * 0.72, fill)
        self.draw.rounded_rectangle(
            (self.x(u - 0.74 * size), self.y(v - 0.2 * size), self.x(u + 0.76 * size), self.y(v + 0.02 * size)),
            radius=0.1 * size * self.side,
            fill=fill,
        )
