"""Things: ball, cube, cup, umbrella, lamp, chair, present, balloon, star, kite."""

from __future__ import annotations

import math
from random import Random

from demo.scenes.colour import COLOURS, Rgb, Tint, mix
from demo.scenes.objects.kind import Kind
from demo.scenes.pen import Pen, both_sides

INK: Rgb = (44, 38, 52)
WOOD: Rgb = (150, 104, 66)
STEEL: Rgb = (150, 156, 170)
PAPER: Rgb = (252, 248, 238)


def ball(pen: Pen, tint: Tint, rng: Random) -> None:
    """A ball: plain, or with a pale band or star patch."""
    pen.oval(0, 0, 0.5, 0.5, tint.base)
    style = rng.random()
    if style < 0.35:
        upper, lower = [(-0.48, 0.06), (-0.2, 0.16), (0.2, 0.13), (0.48, -0.02)], [(0.47, 0.14), (0.2, 0.29), (-0.2, 0.32), (-0.45, 0.22)]
        pen.blob(upper + lower, tint.light, body=False)
    elif style < 0.6:
        right = [(-0.06, -0.49), (0.12, -0.3), (0.16, 0), (0.1, 0.3), (-0.06, 0.49)]
        left = [(-0.16, 0.47), (-0.05, 0.25), (0, 0), (-0.06, -0.28), (-0.16, -0.47)]
        pen.blob(right + left, tint.light, body=False)
    pen.blob([(0.36, -0.32), (0.49, 0), (0.36, 0.34), (0, 0.49), (-0.3, 0.4), (0.05, 0.34), (0.3, 0.08)], tint.dark, body=False)
    pen.oval(-0.2, -0.22, 0.11, 0.075, mix(tint.light, PAPER, 0.6), turn=-0.7, body=False)


def cube(pen: Pen, tint: Tint, rng: Random) -> None:
    """A cube seen from a corner above."""
    lean = rng.uniform(-0.12, 0.12)
    pen.shape([(lean, -0.5), (0.45, -0.27), (lean, -0.03), (-0.45, -0.27)], tint.light)
    pen.shape([(-0.45, -0.27), (lean, -0.03), (lean, 0.5), (-0.45, 0.25)], tint.base)
    pen.shape([(0.45, -0.27), (lean, -0.03), (lean, 0.5), (0.45, 0.25)], tint.dark)
    pen.line([(-0.36, -0.13), (-0.36, 0.02)], 0.035, tint.light, body=False)


def cup(pen: Pen, tint: Tint, rng: Random) -> None:
    """A cup of something hot."""
    pen.line([(0.26, -0.1), (0.45, -0.08), (0.46, 0.14), (0.22, 0.26)], 0.085, tint.base)
    pen.blob(both_sides([(0.34, -0.2), (0.31, 0.15), (0.22, 0.44), (0.1, 0.5)]), tint.base)
    pen.blob([(0.16, -0.1), (0.31, -0.15), (0.28, 0.15), (0.2, 0.42), (0.08, 0.46)], tint.dark, body=False)
    pen.oval(0, -0.2, 0.34, 0.085, tint.light)
    pen.oval(0, -0.19, 0.27, 0.055, (92, 58, 40), body=False)
    pen.line([(-0.22, -0.06), (-0.2, 0.16)], 0.05, tint.light, body=False)
    for x in (-0.1, 0.08):
        sway = rng.uniform(0.02, 0.06)
        pen.line([(x, -0.29), (x + sway, -0.35), (x - sway, -0.42), (x + sway, -0.48)], 0.026, (*PAPER, 190), body=False)


def umbrella(pen: Pen, tint: Tint, rng: Random) -> None:
    """An open umbrella with a hooked handle."""
    pen.line([(0, -0.45), (0, 0.4), (0.05, 0.48), (0.13, 0.45), (0.14, 0.37)], 0.035, WOOD)
    dome, rim = [(0, -0.44), (0.28, -0.36), (0.44, -0.18)], [(0.5, 0.04), (0.375, -0.02), (0.25, 0.05), (0.125, -0.01), (0, 0.06)]
    pen.shape(both_sides(dome + rim), tint.base)
    pen.blob([(0, -0.43), (-0.2, -0.26), (-0.25, 0.03), (-0.125, -0.01), (0, 0.05), (-0.02, -0.2)], tint.light, body=False)
    pen.blob([(0.02, -0.43), (0.3, -0.27), (0.48, 0.02), (0.375, -0.02), (0.25, 0.04), (0.2, -0.2)], tint.dark, body=False)
    pen.line([(0, -0.43), (0, -0.49)], 0.03, WOOD, body=False)


def lamp(pen: Pen, tint: Tint, rng: Random) -> None:
    """A standing lamp with a coloured shade."""
    if pen.lit:
        pen.oval(0, -0.2, 0.5, 0.42, (255, 226, 140, 46), body=False, glows=True)
    pen.line([(0, -0.2), (0, 0.42)], 0.045, STEEL, curved=False)
    pen.blob([(-0.18, 0.5), (-0.14, 0.44), (0, 0.42), (0.14, 0.44), (0.18, 0.5)], STEEL)
    pen.oval(0, -0.03, 0.07, 0.07, (255, 232, 150), body=False, glows=True)
    wide = rng.uniform(0.3, 0.35)
    pen.shape([(-0.17, -0.5), (0.17, -0.5), (wide, -0.04), (-wide, -0.04)], tint.base)
    pen.shape([(0.07, -0.5), (0.17, -0.5), (wide, -0.04), (0.15, -0.04)], tint.dark, body=False)
    pen.shape([(-0.17, -0.5), (-0.09, -0.5), (-0.18, -0.04), (-0.3, -0.04)], tint.light, body=False)
    pen.line([(-wide, -0.04), (wide, -0.04)], 0.035, tint.dark, curved=False, body=False)


def chair(pen: Pen, tint: Tint, rng: Random) -> None:
    """A wooden chair, painted."""
    slats = rng.choice((2, 3))
    for x in (-0.14, 0.31):
        pen.line([(x, 0.1), (x, 0.36)], 0.055, tint.dark, curved=False)
    for x in (-0.25, 0.2):
        pen.line([(x, -0.46 if x < 0 else 0.12), (x, 0.47)], 0.065, tint.base, curved=False)
    pen.line([(0.16, -0.46), (0.16, 0.02)], 0.065, tint.base, curved=False)
    for i in range(slats):
        y = -0.4 + 0.32 * i / slats
        pen.line([(-0.25, y), (0.16, y)], 0.075, tint.light, curved=False)
    pen.shape([(-0.3, 0.14), (-0.19, 0.0), (0.36, 0.0), (0.26, 0.14)], tint.base)
    pen.box(-0.3, 0.14, 0.26, 0.2, tint.dark)


def present(pen: Pen, tint: Tint, rng: Random) -> None:
    """A wrapped present with a bow."""
    pale = min(tint.base) > 200 or (tint.base[0] > 220 and tint.base[1] > 180)
    ribbon: Rgb = mix(tint.base, (120, 70, 80), 0.55) if pale else mix(tint.light, PAPER, 0.6)
    high = rng.uniform(-0.2, -0.1)
    for side in (-1, 1):
        pen.blob([(0, high), (side * 0.1, high - 0.22), (side * 0.3, high - 0.22), (side * 0.26, high - 0.06)], ribbon)
    pen.box(-0.38, high + 0.1, 0.38, 0.5, tint.base)
    pen.box(0.2, high + 0.1, 0.38, 0.5, tint.dark, body=False)
    pen.box(-0.44, high, 0.44, high + 0.16, mix(tint.base, tint.light, 0.4))
    pen.box(-0.08, high, 0.08, 0.5, ribbon, body=False)
    pen.oval(0, high - 0.02, 0.075, 0.065, mix(ribbon, INK, 0.15))


def balloon(pen: Pen, tint: Tint, rng: Random) -> None:
    """A balloon on a string."""
    drift = rng.uniform(-0.09, 0.09)
    pen.line([(0, 0.13), (drift, 0.25), (-drift, 0.38), (drift * 0.4, 0.5)], 0.018, mix(INK, PAPER, 0.35), body=False)
    pen.shape([(-0.05, 0.17), (0, 0.1), (0.05, 0.17)], tint.dark)
    pen.blob(both_sides([(0, -0.5), (0.22, -0.39), (0.28, -0.17), (0.17, 0.02), (0, 0.13)]), tint.base)
    pen.blob([(0.2, -0.36), (0.265, -0.17), (0.15, 0.01), (0.02, 0.11), (0.13, -0.08)], tint.dark, body=False)
    pen.oval(-0.12, -0.31, 0.05, 0.09, mix(tint.light, PAPER, 0.5), turn=0.45, body=False)


def star(pen: Pen, tint: Tint, rng: Random) -> None:
    """A plump five-pointed star, smiling or not."""
    ring = []
    for i in range(10):
        radius = 0.5 if i % 2 == 0 else 0.255
        angle = -math.pi / 2 + math.pi * i / 5
        ring.append((radius * math.cos(angle), 0.03 + radius * math.sin(angle)))
    pen.shape(ring, tint.base)
    pen.shape([(0, 0.03), ring[2], ring[3]], tint.dark, body=False)
    pen.shape([(0, 0.03), ring[4], ring[5]], tint.dark, body=False)
    pen.shape([(0, 0.03), ring[8], ring[9]], tint.light, body=False)
    pen.shape([(0, 0.03), ring[0], ring[9]], mix(tint.base, tint.light, 0.6), body=False)
    if rng.random() < 0.5:
        ink = INK if max(tint.base) > 100 else PAPER
        for x in (-0.085, 0.085):
            pen.oval(x, -0.01, 0.028, 0.04, ink, body=False)
        pen.line([(-0.07, 0.08), (0, 0.125), (0.07, 0.08)], 0.024, ink, body=False)


def kite(pen: Pen, tint: Tint, rng: Random) -> None:
    """A kite with a tail of bows."""
    wave = rng.uniform(0.03, 0.08)
    tail = [(0, 0.2), (wave, 0.28), (-wave, 0.37), (wave, 0.48)]
    pen.line(tail, 0.02, mix(INK, PAPER, 0.25), body=False)
    pen.shape([(0, -0.5), (0.31, -0.16), (0, 0.22), (-0.31, -0.16)], tint.base)
    pen.shape([(0, -0.5), (0.31, -0.16), (0, -0.16)], tint.light, body=False)
    pen.shape([(0, 0.22), (0.31, -0.16), (0, -0.16)], tint.dark, body=False)
    pen.line([(0, -0.48), (0, 0.2)], 0.02, WOOD, curved=False, body=False)
    pen.line([(-0.29, -0.16), (0.29, -0.16)], 0.02, WOOD, curved=False, body=False)
    for x, y in tail[1:3]:
        pen.shape([(x - 0.075, y - 0.04), (x - 0.075, y + 0.04), (x + 0.075, y - 0.04), (x + 0.075, y + 0.04)], tint.base)


_SMALL = frozenset({"mountains"})

THINGS = (
    Kind("ball", "balls", "ground", 0.27, ball, sways=0.5),
    Kind("cube", "cubes", "ground", 0.28, cube, (0.9, 1.0), also=("block", "blocks")),
    Kind("cup", "cups", "ground", 0.27, cup, (0.82, 0.98), also=("mug", "mugs"), not_in=_SMALL),
    Kind("umbrella", "umbrellas", "ground", 0.38, umbrella, sways=0.16, also=("parasol", "parasols")),
    Kind("lamp", "lamps", "ground", 0.42, lamp, (0.68, 1.0), sways=0.02, not_in=_SMALL),
    Kind("chair", "chairs", "ground", 0.37, chair, (0.68, 1.0), sways=0.02, not_in=_SMALL),
    Kind("present", "presents", "ground", 0.3, present, (0.88, 0.92), also=("gift", "gifts")),
    Kind("balloon", "balloons", "air", 0.36, balloon, (0.58, 1.0), sways=0.16),
    Kind("star", "stars", "air", 0.25, star, sways=0.22, not_in=frozenset({"room"}), colours=tuple(c for c in COLOURS if c != "brown")),
    Kind("kite", "kites", "air", 0.34, kite, (0.64, 1.0), sways=0.45, not_in=frozenset({"room"})),
)
