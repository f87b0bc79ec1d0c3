"""Plants and what grows: tree, flower, mushroom, apple."""

from __future__ import annotations

import math
from random import Random

from demo.scenes.colour import COLOURS, Rgb, Tint, mix
from demo.scenes.objects.kind import Kind
from demo.scenes.pen import Pen, both_sides

BARK: Rgb = (112, 74, 50)
LEAF: Rgb = (86, 150, 78)
CREAM: Rgb = (250, 240, 220)


def tree(pen: Pen, tint: Tint, rng: Random) -> None:
    """A round-crowned tree or a fir."""
    pen.shape([(-0.06, 0.05), (0.06, 0.05), (0.09, 0.5), (-0.09, 0.5)], BARK)
    if rng.random() < 0.4:
        for y, wide in ((0.3, 0.36), (0.08, 0.29), (-0.13, 0.21)):
            pen.shape([(0, y - 0.38), (wide, y), (wide * 0.4, y + 0.045), (-wide * 0.4, y + 0.045), (-wide, y)], tint.base)
            pen.shape([(0, y - 0.38), (wide, y), (wide * 0.4, y + 0.045), (wide * 0.1, y + 0.02)], tint.dark, body=False)
        return
    pen.line([(0, 0.25), (0.14, 0.08)], 0.05, BARK)
    crown = [(-0.2, 0.0, 0.19), (0.2, 0.02, 0.18), (-0.1, -0.2, 0.21), (0.12, -0.2, 0.2), (0, -0.03, 0.22)]
    for x, y, radius in crown:
        pen.oval(x + rng.uniform(-0.02, 0.02), y, radius, radius * 0.93, tint.base)
    pen.blob([(-0.3, 0.06), (-0.05, 0.13), (0.25, 0.04), (0.35, 0.06), (0.2, 0.18), (-0.15, 0.175)], tint.dark, body=False)
    for x, y in ((-0.15, -0.25), (0.1, -0.24), (-0.2, -0.03)):
        pen.oval(x - 0.02, y - 0.02, 0.075, 0.06, tint.light, body=False)


def flower(pen: Pen, tint: Tint, rng: Random) -> None:
    """One flower on its stem."""
    bend = rng.uniform(-0.06, 0.06)
    pen.line([(0, 0.5), (bend, 0.25), (0, -0.1)], 0.045, LEAF)
    for side, y in ((-1, 0.36), (1, 0.26)):
        pen.blob([(0, y), (side * 0.1, y - 0.1), (side * 0.24, y - 0.13), (side * 0.14, y - 0.01)], LEAF)
    petals = rng.choice((6, 7, 8))
    start = rng.uniform(0, math.pi)
    for i in range(petals):
        angle = start + 2 * math.pi * i / petals
        shade = tint.base if i % 2 else mix(tint.base, tint.light, 0.45)
        pen.oval(0.18 * math.cos(angle), -0.2 + 0.18 * math.sin(angle), 0.135, 0.088, shade, turn=angle)
    heart = (120, 74, 40) if tint.base[0] > 225 and tint.base[1] > 120 and tint.base[2] < 110 else (250, 204, 70)
    pen.oval(0, -0.2, 0.105, 0.105, heart, body=False)
    pen.oval(-0.025, -0.225, 0.05, 0.045, mix(heart, CREAM, 0.4), body=False)


def mushroom(pen: Pen, tint: Tint, rng: Random) -> None:
    """A mushroom with a dotted cap."""
    pen.blob([(-0.11, 0.0), (0.11, 0.0), (0.13, 0.3), (0.17, 0.48), (0, 0.5), (-0.17, 0.48), (-0.13, 0.3)], CREAM)
    pen.blob([(0.04, 0.05), (0.1, 0.05), (0.12, 0.3), (0.14, 0.46), (0.06, 0.47)], mix(CREAM, (150, 120, 100), 0.35), body=False)
    pen.blob(both_sides([(0, -0.45), (0.2, -0.4), (0.4, -0.2), (0.46, 0.06), (0.2, 0.12)]), tint.base)
    pen.blob([(-0.42, 0.05), (-0.2, 0.02), (0.2, 0.02), (0.42, 0.05), (0.2, 0.11), (-0.2, 0.11)], tint.dark, body=False)
    dot = CREAM if min(tint.base) < 200 else (214, 190, 170)
    for x, y, radius in ((-0.22, -0.17, 0.075), (0.06, -0.29, 0.085), (0.26, -0.12, 0.065), (0.0, -0.07, 0.055)):
        pen.oval(x + rng.uniform(-0.03, 0.03), y, radius, radius * 0.85, dot, body=False)


def apple(pen: Pen, tint: Tint, rng: Random) -> None:
    """An apple with its leaf."""
    pen.line([(0, -0.24), (0.02, -0.38), (0.06, -0.47)], 0.05, BARK)
    pen.blob([(0.05, -0.36), (0.14, -0.49), (0.32, -0.47), (0.22, -0.34)], LEAF)
    body = both_sides([(0, -0.25), (0.18, -0.32), (0.38, -0.22), (0.43, 0.04), (0.32, 0.34), (0.13, 0.49), (0, 0.45)])
    pen.blob(body, tint.base)
    pen.blob([(0.28, -0.22), (0.41, 0.02), (0.31, 0.32), (0.14, 0.46), (0.24, 0.2)], tint.dark, body=False)
    pen.oval(-0.2, -0.08, 0.075, 0.13, tint.light, turn=0.35, body=False)
    pen.blob([(-0.1, -0.26), (0, -0.2), (0.1, -0.26), (0, -0.235)], tint.outline, body=False)


PLANTS = (
    Kind(
        "tree",
        "trees",
        "ground",
        0.5,
        tree,
        (0.78, 1.0),
        sways=0.03,
        not_in=frozenset({"forest", "room"}),
        colours=("red", "orange", "yellow", "green", "blue", "purple", "pink", "white"),
    ),
    Kind(
        "flower",
        "flowers",
        "ground",
        0.34,
        flower,
        (0.62, 1.0),
        also=("blossom", "blossoms"),
        colours=tuple(c for c in COLOURS if c not in {"green", "brown"}),
    ),
    Kind("mushroom", "mushrooms", "ground", 0.28, mushroom, (0.94, 0.97), also=("toadstool", "toadstools")),
    Kind("apple", "apples", "ground", 0.24, apple, (0.88, 1.0), sways=0.15),
)
