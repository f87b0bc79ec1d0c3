"""Animals: cat, dog, rabbit, bird, butterfly, fish."""

from __future__ import annotations

import math
from random import Random

from demo.scenes.colour import Rgb, Tint, mix
from demo.scenes.objects.kind import Kind
from demo.scenes.pen import Pen, both_sides

INK: Rgb = (34, 28, 40)
CREAM: Rgb = (252, 243, 226)
ROSE: Rgb = (240, 150, 160)
BEAK: Rgb = (244, 160, 44)


def _eyes(pen: Pen, tint: Tint, left: tuple[float, float], right: tuple[float, float], size: float) -> None:
    dark = max(tint.base) < 100
    for x, y in (left, right):
        pen.oval(x, y, size, size * 1.2, (244, 222, 120) if dark else INK, body=False)
        if dark:
            pen.oval(x, y, size * 0.45, size * 1.0, INK, body=False)
        else:
            pen.oval(x - size * 0.3, y - size * 0.4, size * 0.36, size * 0.4, (255, 255, 255), body=False)


def cat(pen: Pen, tint: Tint, rng: Random) -> None:
    """A sitting cat, its tail curled to one side."""
    tip = rng.uniform(-0.12, 0.08)
    pen.line([(0.14, 0.42), (0.36, 0.42), (0.43, 0.22), (0.36, tip)], 0.085, tint.base)
    pen.blob(both_sides([(0, -0.14), (0.17, 0.06), (0.25, 0.34), (0.2, 0.48), (0, 0.5)]), tint.base)
    pen.oval(0, 0.26, 0.11, 0.2, mix(tint.light, CREAM, 0.35), body=False)
    for side in (-1, 1):
        pen.shape([(side * 0.25, -0.25), (side * 0.245, -0.5), (side * 0.06, -0.38)], tint.base)
        pen.shape([(side * 0.21, -0.31), (side * 0.215, -0.43), (side * 0.11, -0.37)], ROSE, body=False)
        pen.oval(side * 0.09, 0.455, 0.085, 0.05, tint.light, body=False)
    pen.oval(0, -0.2, 0.27, 0.225, tint.base)
    for x in (-0.07, 0.0, 0.07):
        pen.line([(x, -0.405), (x * 0.9, -0.33)], 0.026, tint.dark, body=False)
    pen.oval(0, -0.115, 0.12, 0.075, mix(tint.light, CREAM, 0.35), body=False)
    _eyes(pen, tint, (-0.115, -0.215), (0.115, -0.215), 0.042)
    pen.shape([(-0.03, -0.15), (0.03, -0.15), (0, -0.115)], ROSE, body=False)
    for side in (-1, 1):
        for rise in (-0.02, 0.03):
            pen.line([(side * 0.13, -0.11), (side * 0.33, -0.12 + rise)], 0.011, tint.outline, body=False)


def dog(pen: Pen, tint: Tint, rng: Random) -> None:
    """A standing dog that wags its tail."""
    wag = rng.uniform(-0.07, 0.07)
    pen.line([(-0.33, 0.06), (-0.43, -0.08), (-0.44 + wag, -0.22)], 0.075, tint.base)
    for x in (-0.29, -0.17, 0.09, 0.2):
        pen.line([(x, 0.15), (x, 0.455)], 0.1, tint.dark if x in (-0.17, 0.09) else tint.base, curved=False)
    pen.blob([(-0.36, 0.06), (-0.2, -0.03), (0.1, -0.03), (0.26, 0.02), (0.26, 0.2), (0.1, 0.28), (-0.22, 0.27), (-0.36, 0.2)], tint.base)
    pen.oval(-0.06, 0.235, 0.17, 0.045, tint.light, body=False)
    pen.blob([(0.08, -0.32), (0.2, -0.42), (0.34, -0.38), (0.4, -0.26), (0.34, -0.06), (0.18, -0.02), (0.08, -0.12)], tint.base)
    pen.oval(0.37, -0.15, 0.13, 0.095, tint.light)
    pen.oval(0.45, -0.2, 0.05, 0.04, INK, body=False)
    pen.line([(0.32, -0.1), (0.39, -0.075), (0.45, -0.1)], 0.016, INK, body=False)
    pen.blob([(0.1, -0.36), (0.17, -0.34), (0.19, -0.16), (0.12, -0.03), (0.03, -0.1), (0.04, -0.26)], tint.dark)
    _eyes(pen, tint, (0.245, -0.26), (0.37, -0.275), 0.036)
    pen.line([(0.09, -0.02), (0.2, 0.03), (0.29, -0.01)], 0.045, (200, 60, 60) if tint.base[0] < 190 else (60, 90, 170), body=False)


def rabbit(pen: Pen, tint: Tint, rng: Random) -> None:
    """A sitting rabbit with long ears."""
    droop = rng.uniform(-0.03, 0.05)
    inner = mix(ROSE, tint.light, 0.25)
    pen.oval(-0.25, 0.34, 0.1, 0.1, tint.light)
    pen.blob(both_sides([(0, -0.02), (0.15, 0.08), (0.24, 0.34), (0.18, 0.48), (0, 0.5)]), tint.base)
    pen.oval(0, 0.28, 0.11, 0.17, mix(tint.light, CREAM, 0.35), body=False)
    for side in (-1, 1):
        lean = side * (0.16 + droop)
        pen.oval(side * 0.1, -0.33, 0.068, 0.175, tint.base, turn=lean)
        pen.oval(side * 0.1, -0.32, 0.032, 0.125, inner, turn=lean, body=False)
        pen.oval(side * 0.12, 0.455, 0.1, 0.05, tint.light)
    pen.oval(0, -0.05, 0.2, 0.175, tint.base)
    pen.oval(0, 0.02, 0.095, 0.065, mix(tint.light, CREAM, 0.35), body=False)
    _eyes(pen, tint, (-0.09, -0.07), (0.09, -0.07), 0.036)
    pen.oval(0, -0.012, 0.028, 0.02, ROSE, body=False)
    pen.box(-0.022, 0.035, 0.022, 0.075, (255, 255, 255), body=False)


def bird(pen: Pen, tint: Tint, rng: Random) -> None:
    """A bird in flight, wings up or down."""
    lift = rng.choice((-1.0, -1.0, 0.75))
    pen.shape([(-0.24, 0.02), (-0.5, -0.08), (-0.44, 0.04), (-0.5, 0.14)], tint.dark)
    pen.blob([(-0.3, 0.05), (-0.1, -0.1), (0.16, -0.15), (0.32, -0.12), (0.38, 0.0), (0.26, 0.14), (0, 0.2), (-0.2, 0.14)], tint.base)
    pen.shape([(0.36, -0.07), (0.5, -0.01), (0.36, 0.04)], BEAK if tint.base[0] < 230 or tint.base[1] > 220 else (250, 208, 70))
    pen.blob([(-0.1, 0.12), (0.1, 0.08), (0.26, 0.1), (0.1, 0.185)], mix(tint.light, CREAM, 0.4), body=False)
    pen.blob([(0.16, 0.0), (-0.02, 0.26 * lift), (-0.24, 0.46 * lift), (-0.2, 0.2 * lift), (-0.14, 0.04)], tint.dark)
    pen.blob([(0.1, 0.0), (-0.03, 0.2 * lift), (-0.17, 0.33 * lift), (-0.12, 0.12 * lift)], tint.base, body=False)
    pen.oval(0.25, -0.055, 0.04, 0.042, (255, 255, 255), body=False)
    pen.oval(0.26, -0.055, 0.025, 0.028, INK, body=False)


def butterfly(pen: Pen, tint: Tint, rng: Random) -> None:
    """A butterfly seen from above, one wing a little folded."""
    fold = rng.uniform(0.72, 1.0)
    for side, wide in ((-1, 1.0), (1, fold)):
        s = side * wide
        pen.blob([(s * 0.04, -0.04), (s * 0.22, -0.42), (s * 0.44, -0.42), (s * 0.48, -0.18), (s * 0.3, 0.02), (s * 0.06, 0.06)], tint.base)
        pen.blob([(s * 0.04, 0.04), (s * 0.26, 0.06), (s * 0.4, 0.22), (s * 0.3, 0.42), (s * 0.14, 0.36)], tint.dark)
        pen.oval(s * 0.34, -0.27, 0.07 * wide, 0.085, tint.light, body=False)
        pen.oval(s * 0.26, 0.23, 0.05 * wide, 0.06, tint.light, body=False)
        pen.line([(s * 0.02, -0.22), (s * 0.08, -0.36), (s * 0.15, -0.42)], 0.022, INK, body=False)
    pen.oval(0, 0.03, 0.045, 0.27, mix(INK, tint.base, 0.15))
    pen.oval(0, -0.23, 0.055, 0.055, mix(INK, tint.base, 0.15))


def fish(pen: Pen, tint: Tint, rng: Random) -> None:
    """A fish that swims to the right, with or without stripes."""
    wave = rng.uniform(-0.05, 0.05)
    pen.blob([(-0.24, 0), (-0.46, -0.22 + wave), (-0.5, -0.1), (-0.42, 0.02 + wave), (-0.5, 0.14), (-0.45, 0.24 + wave)], tint.dark)
    pen.blob([(-0.12, -0.18), (0.0, -0.36), (0.2, -0.3), (0.14, -0.16)], tint.dark)
    pen.blob([(-0.02, 0.18), (-0.1, 0.34), (0.1, 0.28), (0.1, 0.16)], tint.dark)
    pen.blob([(-0.3, 0), (-0.1, -0.2), (0.16, -0.25), (0.4, -0.12), (0.49, 0.02), (0.38, 0.15), (0.14, 0.24), (-0.12, 0.18)], tint.base)
    if rng.random() < 0.6:
        for x, tall in ((-0.08, 0.15), (0.07, 0.19)):
            pen.oval(x, 0, 0.03, tall, tint.light, body=False)
    pen.blob([(0.02, 0.03), (0.12, 0.0), (0.06, 0.13), (-0.06, 0.12)], tint.dark, body=False)
    pen.oval(0.31, -0.05, 0.062, 0.066, (255, 255, 255), body=False)
    pen.oval(0.325, -0.05, 0.036, 0.04, INK, body=False)
    pen.line([(0.46, 0.06), (0.41, 0.09), (0.37, 0.08)], 0.017, tint.outline, body=False)


ANIMALS = (
    Kind("cat", "cats", "ground", 0.33, cat, (0.75, 1.0), also=("kitty", "kitties")),
    Kind("dog", "dogs", "ground", 0.36, dog, (0.95, 0.92), also=("puppy", "puppies")),
    Kind("rabbit", "rabbits", "ground", 0.31, rabbit, (0.6, 1.0), also=("bunny", "bunnies")),
    Kind("bird", "birds", "air", 0.26, bird, (1.0, 0.8), sways=math.radians(18)),
    Kind("butterfly", "butterflies", "air", 0.23, butterfly, (0.98, 0.9), sways=math.radians(35)),
    Kind("fish", "fish", "water", 0.28, fish, (1.0, 0.7), sways=math.radians(14), not_in=frozenset({"beach", "lake"})),
)
