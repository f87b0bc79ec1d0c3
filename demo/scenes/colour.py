"""Colours: the names a caption may use, and the shades a drawing makes of one of them."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from random import Random

Rgb = tuple[int, int, int]

COLOURS: dict[str, Rgb] = {
    "red": (214, 46, 48),
    "orange": (242, 138, 38),
    "yellow": (249, 210, 58),
    "green": (70, 166, 84),
    "blue": (48, 116, 214),
    "purple": (132, 80, 190),
    "pink": (246, 142, 184),
    "brown": (132, 84, 50),
    "white": (246, 246, 242),
    "black": (48, 48, 56),
}


def mix(a: Rgb, b: Rgb, share: float) -> Rgb:
    """`share` of `b` and the rest of `a`."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def multiply(colour: Rgb, light: tuple[float, float, float]) -> Rgb:
    """The colour under a light; (1, 1, 1) leaves it as it is."""
    return (
        min(255, round(colour[0] * light[0])),
        min(255, round(colour[1] * light[1])),
        min(255, round(colour[2] * light[2])),
    )


def jitter(colour: Rgb, rng: Random, amount: float = 1.0) -> Rgb:
    """A neighbour of the colour, near enough to keep its name."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    hue += rng.uniform(-0.012, 0.012) * amount
    saturation *= 1 + rng.uniform(-0.12, 0.06) * amount
    value *= 1 + rng.uniform(-0.10, 0.06) * amount
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, min(1.0, saturation), min(1.0, value))
    return round(red * 255), round(green * 255), round(blue * 255)


@dataclass(frozen=True, slots=True)
class Tint:
    """One object's colour in the shades that a drawing needs."""

    base: Rgb
    dark: Rgb
    light: Rgb
    outline: Rgb

    @classmethod
    def of(cls, base: Rgb, rim: Rgb | None = None) -> Tint:
        """Shades of `base`; `rim` replaces the dark outline where the surroundings are darker than it."""
        return cls(
            base=base,
            dark=mix(base, (28, 20, 52), 0.28),
            light=mix(base, (255, 255, 250), 0.38 if max(base) > 100 else 0.22),
            outline=mix(base, (30, 22, 44), 0.66) if rim is None else mix(base, rim, 0.72),
        )
