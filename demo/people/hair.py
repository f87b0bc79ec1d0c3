"""Hair: what hangs behind head and shoulders, drawn first, and what frames the face, drawn last."""

from __future__ import annotations

import math
from random import Random

from demo.people.head import Head
from demo.people.person import Hair
from demo.scenes.colour import Rgb, mix
from demo.scenes.pen import Pen, Point, both_sides

# The hairline from the right temple over the forehead to the left one, for a parting on the right; x in half face widths.
_LINES: dict[Hair, tuple[Point, ...]] = {
    "short": ((0.97, -0.04), (0.86, -0.2), (0.5, -0.29), (0, -0.3), (-0.5, -0.29), (-0.86, -0.2), (-0.97, -0.04)),
    "parted": ((0.98, -0.05), (0.88, -0.2), (0.55, -0.37), (0.1, -0.25), (-0.4, -0.19), (-0.86, -0.14), (-0.98, 0.0)),
    "spiky": ((0.97, -0.04), (0.84, -0.18), (0.55, -0.27), (0.3, -0.2), (0, -0.28), (-0.35, -0.2), (-0.6, -0.28), (-0.97, -0.04)),
    "receding": ((0.99, -0.02), (0.93, -0.22), (0.72, -0.36), (0.3, -0.4), (0, -0.34), (-0.3, -0.4),
                 (-0.72, -0.36), (-0.93, -0.22), (-0.99, -0.02)),
    "curly": ((0.98, -0.02), (0.8, -0.21), (0.5, -0.25), (0.2, -0.21), (-0.15, -0.25), (-0.5, -0.21), (-0.8, -0.22), (-0.98, -0.02)),
    "afro": ((0.97, -0.1), (0.84, -0.24), (0.5, -0.31), (0, -0.32), (-0.5, -0.31), (-0.84, -0.24), (-0.97, -0.1)),
    "fringe": ((0.97, 0.1), (0.88, -0.13), (0.5, -0.135), (0, -0.13), (-0.5, -0.135), (-0.88, -0.13), (-0.97, 0.1)),
    "bob": ((0.99, 0.34), (0.88, 0.08), (0.76, -0.16), (0.3, -0.36), (-0.2, -0.25), (-0.78, -0.12), (-0.9, 0.1), (-0.99, 0.34)),
    "long": ((1.0, 0.45), (0.9, 0.1), (0.8, -0.12), (0.4, -0.3), (0, -0.41), (-0.4, -0.3), (-0.8, -0.12), (-0.9, 0.1), (-1.0, 0.45)),
    "wavy": ((1.02, 0.42), (0.86, 0.14), (0.9, -0.08), (0.6, -0.24), (0.2, -0.38), (-0.3, -0.22),
             (-0.86, -0.08), (-0.88, 0.14), (-1.02, 0.42)),
    "bun": ((0.98, -0.04), (0.86, -0.2), (0.5, -0.33), (0, -0.36), (-0.5, -0.33), (-0.86, -0.2), (-0.98, -0.04)),
    "ponytail": ((0.98, 0.0), (0.84, -0.16), (0.62, -0.31), (0.2, -0.27), (-0.3, -0.2), (-0.84, -0.14), (-0.98, 0.02)),
    "pigtails": ((0.98, 0.0), (0.86, -0.16), (0.45, -0.27), (0, -0.4), (-0.45, -0.27), (-0.86, -0.16), (-0.98, 0.0)),
}  # fmt: skip
_LIFT: dict[Hair, float] = {"receding": 0.015, "short": 0.04, "spiky": 0.05, "afro": 0.12, "curly": 0.09, "bun": 0.04}


def _shades(head: Head) -> tuple[Rgb, Rgb, Rgb]:
    base = head.person.hair_colour
    return base, mix(base, (24, 16, 30), 0.3), mix(base, (255, 244, 224), 0.22)


def back_hair(pen: Pen, head: Head) -> None:
    """What hangs behind: long hair, tails, a bun."""
    person = head.person
    _, dark, _ = _shades(head)
    base = person.hair_colour
    a, volume = head.half, person.volume
    lag = -0.12 * math.sin(head.look.yaw)
    match person.hair:
        case "long":
            wide = a * (1.12 + 0.1 * volume)
            pen.blob(
                [(x + lag, y) for x, y in both_sides([(0, -0.52), (wide, -0.2), (wide * 1.04, 0.4), (wide, 0.95), (wide * 0.5, 1.0)])], dark
            )
        case "wavy":
            wide = a * (1.2 + 0.16 * volume)
            right = [
                (0, -0.55),
                (wide, -0.25),
                (wide * 0.98, 0.05),
                (wide * 1.2, 0.3),
                (wide * 1.05, 0.55),
                (wide * 1.25, 0.8),
                (wide * 0.6, 0.92),
            ]
            pen.blob([(x + lag, y) for x, y in both_sides(right)], dark)
        case "bob":
            wide = a * (1.12 + 0.12 * volume)
            pen.blob(
                [(x + lag, y) for x, y in both_sides([(0, -0.52), (wide, -0.2), (wide * 1.06, 0.3), (wide * 0.9, 0.5), (0, 0.46)])], dark
            )
        case "bun":
            pen.oval(lag * 0.6, -0.6, 0.17 * volume, 0.15 * volume, base)
            pen.line([(lag * 0.6 - 0.08, -0.62), (lag * 0.6, -0.66), (lag * 0.6 + 0.09, -0.6)], 0.02, dark, body=False)
        case "ponytail":
            s = person.parting
            pen.blob(
                [
                    (lag + s * x, y)
                    for x, y in ((0.0, -0.42), (0.3, -0.5), (0.52, -0.3), (0.56, 0.1), (0.44, 0.55), (0.38, 0.1), (0.3, -0.2))
                ],
                base,
            )
        case "pigtails":
            for s in (-1, 1):
                pen.blob(
                    [(lag + s * x, y) for x, y in ((0.28, -0.1), (0.5, -0.16), (0.64, 0.1), (0.6, 0.4), (0.5, 0.55), (0.42, 0.2))], base
                )
                pen.oval(lag + s * 0.4, -0.06, 0.06, 0.06, (228, 74, 98), body=False)
        case "afro":
            pen.oval(lag * 0.5, -0.16, a + 0.2 * volume, 0.42 + 0.16 * volume, dark)
        case "curly":
            for t in range(9):
                angle = math.pi * (0.93 + 1.14 * t / 8)
                pen.oval(lag * 0.5 + (a + 0.04) * math.cos(angle), -0.1 + 0.42 * math.sin(angle), 0.15 * volume, 0.15 * volume, dark)
        case _:
            pen.blob([(x + lag, y) for x, y in both_sides([(0, -0.48), (a * 0.98, -0.2), (a * 0.95, 0.15), (a * 0.5, 0.36)])], dark)


def front_hair(pen: Pen, head: Head) -> None:
    """The cap above the hairline, with a few strands."""
    person = head.person
    base, dark, light = _shades(head)
    if person.hair == "bald":
        x, y = head.at(-0.1, -0.38)
        pen.oval(x, y, 0.09, 0.035, (*mix(person.skin, (255, 255, 255), 0.6), 120), turn=-0.3, body=False)
        return
    line = [_on(head, x * person.parting, y) for x, y in _LINES[person.hair]][:: person.parting]
    lift = _LIFT.get(person.hair, 0.05) * person.volume
    a = head.half
    outer: list[Point] = []
    for t in range(13):
        angle = math.pi * (1 + t / 12)
        x, y = (a + lift * 0.75) * math.cos(angle), -0.08 + (0.42 + lift) * math.sin(angle)
        if person.hair == "spiky" and 1 < t < 11:
            reach = 1.16 if t % 2 else 0.99
            x, y = x * reach, -0.08 + (y + 0.08) * reach
        outer.append(head.rim(x, y))
    # The sides come down to where the hairline ends.
    first, last = line[0], line[-1]
    left, right = head.rim(-a - lift * 0.6, last[1]), head.rim(a + lift * 0.6, first[1])
    outline = [left, *outer, right, *line]
    if person.hair == "spiky":
        pen.shape(outline, base)
    else:
        pen.blob(outline, base)
    if person.hair in ("curly", "afro"):
        _curls(pen, head, base, dark, light)
        return
    for u, width in ((-0.45, 0.016), (0.1, 0.014), (0.5, 0.016)):
        x = u * person.parting
        top, low = head.rim(a * x, -0.46), _on(head, x * 1.25, -0.33)
        pen.line(
            [top, ((top[0] + low[0]) / 2 + 0.02 * person.parting, (top[1] + low[1]) / 2), low], width, mix(base, dark, 0.6), body=False
        )
    shine = head.rim(-0.12 * person.parting, -0.42)
    pen.oval(*shine, 0.09, 0.02, (*light, 150), turn=-0.35 * person.parting, body=False)


def _curls(pen: Pen, head: Head, base: Rgb, dark: Rgb, light: Rgb) -> None:
    person, rng = head.person, Random(f"curls {head.person.seed}")
    size = 0.075 if person.hair == "curly" else 0.05
    for _ in range(26):
        angle, reach = rng.uniform(math.pi * 1.02, math.pi * 1.98), rng.uniform(0.84, 1.06)
        x, y = head.rim((head.half + 0.03) * reach * math.cos(angle), -0.12 + 0.42 * reach * math.sin(angle))
        if y < head.person.eye_height - 0.27:
            pen.oval(x, y, size, size, mix(base, rng.choice((dark, light)), rng.uniform(0, 0.5)), body=False)


def _on(head: Head, x: float, y: float) -> Point:
    """A point of the hairline: on the face in the middle, on the outline at the sides."""
    u = x * head.half
    near, far = head.at(u, y), head.rim(u, y)
    share = min(1.0, max(0.0, (abs(x) - 0.55) / 0.4))
    return near[0] + (far[0] - near[0]) * share, near[1] + (far[1] - near[1]) * share
