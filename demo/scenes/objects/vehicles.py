"""What people build to live and travel in: house, car, bicycle, boat."""

from __future__ import annotations

import math
from random import Random

from demo.scenes.colour import COLOURS, Rgb, Tint, mix
from demo.scenes.objects.kind import Kind
from demo.scenes.pen import Pen

INK: Rgb = (44, 40, 54)
GLASS: Rgb = (196, 224, 240)
LIT_GLASS: Rgb = (255, 220, 124)
STEEL: Rgb = (176, 182, 194)
CREAM: Rgb = (252, 246, 232)
SLATE: Rgb = (92, 84, 98)


def house(pen: Pen, tint: Tint, rng: Random) -> None:
    """A small house with a chimney; its windows shine at night."""
    glass, trim = (LIT_GLASS if pen.lit else GLASS), mix(CREAM, tint.light, 0.2)
    pen.box(0.17, -0.42, 0.29, -0.1, mix(SLATE, tint.dark, 0.3))
    pen.box(-0.38, -0.1, 0.38, 0.5, tint.base)
    pen.box(-0.38, -0.1, 0.38, -0.02, tint.dark, body=False)
    pen.shape([(-0.48, -0.06), (-0.06, -0.46), (0.06, -0.46), (0.48, -0.06)], mix(SLATE, tint.dark, 0.25))
    door = rng.choice((-0.2, 0.0, 0.2))
    pen.box(door - 0.085, 0.18, door + 0.085, 0.5, mix(tint.dark, (60, 40, 40), 0.55), body=False)
    pen.oval(door + 0.05, 0.35, 0.016, 0.016, LIT_GLASS, body=False)
    windows = (-0.21, 0.21) if door == 0 else ((0.07, 0.26) if door < 0 else (-0.26, -0.07))
    for x in windows:
        pen.box(x - 0.085, 0.07, x + 0.085, 0.27, trim, body=False)
        pen.box(x - 0.065, 0.09, x + 0.065, 0.25, glass, body=False, glows=pen.lit)
        pen.line([(x, 0.09), (x, 0.25)], 0.018, trim, body=False)
    pen.oval(0, -0.25, 0.065, 0.065, trim, body=False)
    pen.oval(0, -0.25, 0.045, 0.045, glass, body=False, glows=pen.lit)


def car(pen: Pen, tint: Tint, rng: Random) -> None:
    """A small car from the side."""
    roof = rng.uniform(-0.14, -0.08)
    glass = LIT_GLASS if pen.lit else GLASS
    pen.blob([(-0.3, 0.16), (-0.2, roof + 0.03), (-0.06, roof - 0.02), (0.1, roof), (0.26, 0.15)], tint.base)
    bonnet, sill = [(0, 0.12), (0.3, 0.15), (0.45, 0.2), (0.49, 0.32), (0.44, 0.4)], [(0, 0.41), (-0.44, 0.4)]
    pen.blob([(-0.48, 0.3), (-0.47, 0.17), (-0.34, 0.13), *bonnet, *sill], tint.base)
    pen.blob([(-0.46, 0.32), (0, 0.33), (0.47, 0.33), (0.42, 0.4), (0, 0.405), (-0.42, 0.4)], tint.dark, body=False)
    pen.shape([(-0.23, 0.13), (-0.17, roof + 0.07), (-0.02, roof + 0.045), (-0.02, 0.13)], glass, body=False, glows=pen.lit)
    pen.shape([(0.02, 0.13), (0.02, roof + 0.045), (0.09, roof + 0.065), (0.19, 0.13)], glass, body=False, glows=pen.lit)
    pen.line([(-0.4, 0.2), (0.1, 0.185)], 0.022, tint.light, body=False)
    pen.line([(-0.02, 0.21), (0.03, 0.21)], 0.02, tint.outline, body=False)
    pen.oval(0.455, 0.24, 0.03, 0.04, (255, 240, 180), body=False, glows=True)
    for x in (-0.27, 0.27):
        pen.oval(x, 0.38, 0.12, 0.12, INK)
        pen.oval(x, 0.38, 0.062, 0.062, STEEL, body=False)


def bicycle(pen: Pen, tint: Tint, rng: Random) -> None:
    """A bicycle from the side, its frame in the object's colour."""
    crank, saddle, head = (-0.04, 0.28), (-0.13, -0.02), (0.2, -0.02)
    back, front = (-0.29, 0.28), (0.29, 0.28)
    start = rng.uniform(0, 1)
    for x, y in (back, front):
        pen.line([(x + 0.19 * math.cos(a), y + 0.19 * math.sin(a)) for a in (0, 1.05, 2.09, 3.14, 4.19, 5.24)], 0.05, INK, closed=True)
        for i in range(3):
            a = start + i * math.pi / 3
            across, down = 0.17 * math.cos(a), 0.17 * math.sin(a)
            pen.line([(x - across, y - down), (x + across, y + down)], 0.012, STEEL, body=False)
    for one, other in ((back, saddle), (back, crank), (crank, saddle), (saddle, head), (crank, head), (front, head)):
        pen.line([one, other], 0.068, tint.base)
    pen.line([saddle, (-0.15, -0.1)], 0.04, STEEL)
    pen.blob([(-0.26, -0.13), (-0.1, -0.14), (-0.04, -0.1), (-0.16, -0.08)], INK)
    pen.line([head, (0.17, -0.14), (0.24, -0.18), (0.29, -0.14)], 0.045, INK)
    pen.oval(*crank, 0.045, 0.045, INK, body=False)


def boat(pen: Pen, tint: Tint, rng: Random) -> None:
    """A sailing boat: the hull and the front sail have its colour."""
    full = rng.uniform(0.3, 0.38)
    pen.line([(0, -0.48), (0, 0.22)], 0.035, (140, 98, 62), curved=False)
    pen.blob([(0.03, -0.44), (full * 0.75, -0.1), (full, 0.14), (0.03, 0.14)], CREAM)
    pen.blob([(-0.03, -0.36), (-0.2, -0.08), (-0.3, 0.14), (-0.03, 0.14)], tint.light)
    pen.shape([(0, -0.5), (0.13, -0.455), (0, -0.41)], tint.base)
    pen.blob([(-0.47, 0.22), (0, 0.24), (0.48, 0.2), (0.38, 0.42), (0.2, 0.48), (-0.2, 0.48), (-0.36, 0.42)], tint.base)
    pen.blob([(-0.4, 0.37), (0, 0.39), (0.42, 0.35), (0.34, 0.44), (0.2, 0.475), (-0.2, 0.475)], tint.dark, body=False)
    pen.line([(-0.43, 0.265), (0, 0.285), (0.43, 0.25)], 0.03, tint.light, body=False)


_NO_WHITE = tuple(name for name in COLOURS if name != "white")

VEHICLES = (
    Kind("house", "houses", "ground", 0.45, house, (0.96, 0.96), sways=0.0, not_in=frozenset({"city", "room"})),
    Kind("car", "cars", "ground", 0.42, car, (0.98, 0.64), sways=0.03, not_in=frozenset({"room"})),
    Kind("bicycle", "bicycles", "ground", 0.38, bicycle, (0.98, 0.7), sways=0.03, also=("bike", "bikes"), colours=_NO_WHITE),
    Kind(
        "boat",
        "boats",
        "water",
        0.4,
        boat,
        (0.95, 1.0),
        sways=0.07,
        also=("sailboat", "sailboats"),
        colours=_NO_WHITE,
        not_in=frozenset({"underwater"}),
    ),
)
