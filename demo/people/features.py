"""What a face is made of: ears, eyes, brows, nose, mouth, beard, freckles, glasses, drawn where the head's turn puts them."""

from __future__ import annotations

from random import Random

import numpy as np

from demo.people.head import Head
from demo.scenes.colour import Rgb, mix
from demo.scenes.pen import Pen, Point, smooth

_INK: Rgb = (40, 30, 38)
_SIDES = (-1, 1)


def ears(pen: Pen, head: Head) -> None:
    """Behind the face's outline, the far one hidden by the turn."""
    person, yaw = head.person, head.look.yaw
    size = 0.075 * person.ears
    for side in _SIDES:
        x, y = head.rim(side * (head.half + 0.012), 0.06)
        x -= side * 0.1 * max(0.0, side * yaw)
        pen.oval(x, y, size * 0.72, size * 1.15, person.skin)
        pen.oval(x + side * 0.006, y + 0.005, size * 0.36, size * 0.66, mix(person.skin, (150, 60, 50), 0.25), body=False)
        if person.earrings is not None:
            pen.oval(x + side * 0.01, y + size * 1.35, 0.026, 0.032, person.earrings, body=False)


def skin(pen: Pen, head: Head) -> None:
    """The face itself, its blush, its shaded half, freckles."""
    person, look = head.person, head.look
    contour = head.contour()
    pen.shape(contour, person.skin)
    if look.shade:
        middle = head.at(0, 0)[0] * 0.8 + 0.1 * np.sign(look.shade)
        side = contour.copy()
        side[:, 0] = np.maximum(side[:, 0], middle) if look.shade > 0 else np.minimum(side[:, 0], middle)
        pen.shape(side, (40, 16, 40, round(70 * abs(look.shade))), body=False)
    for side_ in _SIDES:
        x, y = head.at(side_ * 0.2, 0.17)
        pen.oval(x, y, 0.075 * head.squeeze(side_ * 0.2), 0.05, (236, 90, 90, 46), body=False)
    if person.freckles:
        rng = Random(f"freckles {person.seed}")
        for _ in range(14):
            x, y = head.at(rng.choice(_SIDES) * rng.uniform(0.04, 0.22), rng.uniform(0.1, 0.2))
            pen.oval(x, y, 0.009, 0.009, mix(person.skin, (140, 70, 30), 0.5), body=False)
    if person.mole is not None:
        x, y = head.at(*person.mole)
        pen.oval(x, y, 0.014, 0.014, mix(person.skin, (50, 20, 10), 0.75), body=False)


def eyes(pen: Pen, head: Head) -> None:
    """Whites, irises, lids; closed ones are an arc."""
    person, look = head.person, head.look
    lid = mix(person.skin, (50, 24, 30), 0.55)
    for side, (x, y) in zip(_SIDES, head.eyes(), strict=True):
        wide = 0.064 * person.eye * head.squeeze(side * person.eye_gap)
        high = 0.047 * person.eye * (1 - 0.18 * max(0.0, look.smile))
        if look.blink:
            pen.line([(x - wide, y), (x, y + high * 0.6), (x + wide, y)], 0.02, _INK, body=False)
            continue
        pen.oval(x, y - 0.006, wide * 1.1, high * 1.15, lid, body=False)
        pen.oval(x, y, wide, high, (252, 251, 248), body=False)
        gaze = x + (0.35 * look.gaze + 0.3 * np.sin(look.yaw)) * wide * 0.8
        pen.oval(gaze, y, min(wide, high) * 0.8, high * 0.86, person.iris, body=False)
        pen.oval(gaze, y, min(wide, high) * 0.42, high * 0.46, _INK, body=False)
        pen.oval(gaze - 0.012, y - high * 0.35, 0.011, 0.012, (255, 255, 255), body=False)
        pen.line([(x - wide * 1.05, y - high * 0.3), (x, y - high * 1.12), (x + wide * 1.05, y - high * 0.3)], 0.016, _INK, body=False)
        if person.lashes:
            for reach in (1.05, 0.75):
                root = (x + side * wide * reach * 0.9, y - high * (1.3 - reach * 0.75))
                pen.line([root, (root[0] + side * 0.035, root[1] - 0.028)], 0.013, _INK, body=False)


def brows(pen: Pen, head: Head) -> None:
    """Over hair and eyes, so that they always show."""
    person = head.person
    colour = mix(person.hair_colour, (40, 28, 30), 0.45)
    y = person.eye_height - 0.085 - 0.03 * person.eye
    for side in _SIDES:
        inner, outer = side * (person.eye_gap - 0.075), side * (person.eye_gap + 0.08)
        middle = side * (person.eye_gap + 0.01)
        path = [head.at(inner, y + person.brow_tilt), head.at(middle, y - 0.022), head.at(outer, y + 0.008 - person.brow_tilt)]
        pen.line(path, 0.026 * person.brow, colour, body=False)


def nose(pen: Pen, head: Head) -> None:
    """A rounded tip with wings, and the bridge's shadow on the side that is turned away."""
    person = head.person
    x, y = head.nose()
    size, shadow = 0.048 * person.nose, mix(person.skin, (120, 40, 40), 0.32)
    base = head.at(0, head.nose_y, bump=0.03)
    away = -1 if head.look.yaw < 0 else 1
    bridge = head.at(away * 0.025, person.eye_height + 0.02, bump=0.02)
    pen.line([bridge, (x + away * size * 0.6, y - size * 0.5)], 0.013, (*shadow, 150), body=False)
    for side in _SIDES:
        pen.oval(base[0] + side * size * 0.75, y + size * 0.22, size * 0.42, size * 0.36, shadow, body=False)
    pen.oval(x, y, size * 0.9, size * 0.74, mix(person.skin, (236, 110, 90), 0.16), body=False)
    pen.oval(x - size * 0.25, y - size * 0.25, size * 0.28, size * 0.2, (*mix(person.skin, (255, 255, 255), 0.5), 170), body=False)


def mouth(pen: Pen, head: Head) -> None:
    """Lips between the corners, open ones with teeth."""
    person, look = head.person, head.look
    (x0, y0), (x1, y1) = head.mouth()
    middle, drop = head.at(0, head.mouth_y), 0.065 * look.smile
    mx, my = middle
    if look.open > 0:
        gap = 0.035 + 0.075 * look.open
        inside = smooth([(x0, y0), (mx, my + drop * 0.25 - 0.012), (x1, y1), (mx, my + drop + gap)], closed=True)
        pen.shape(inside, mix(person.lips, (70, 10, 20), 0.75), body=False)
        third = (x1 - x0) * 0.27
        teeth = [(x0 + third * 0.6, y0 + 0.004), (mx, my + drop * 0.25), (x1 - third * 0.6, y1 + 0.004), (mx, my + drop * 0.4 + gap * 0.4)]
        pen.blob(teeth, (252, 250, 246), body=False)
        pen.line([*_arc((x0, y0), (mx, my + drop + gap), (x1, y1))], 0.024, person.lips, body=False)
        pen.line([*_arc((x0, y0), (mx, my + drop * 0.25 - 0.012), (x1, y1))], 0.02, person.lips, body=False)
        return
    full = 0.018 + 0.016 * person.lashes
    pen.blob([(x0, y0), (mx, my + drop - full * 0.9), (x1, y1), (mx, my + drop + full * 1.4)], person.lips, body=False)
    pen.line(_arc((x0, y0), (mx, my + drop), (x1, y1)), 0.014, mix(person.lips, (50, 8, 20), 0.65), body=False)


def _arc(start: Point, middle: Point, end: Point) -> list[Point]:
    return [start, middle, end]


def beard(pen: Pen, head: Head) -> None:
    """From stubble to a full one, in a shade of the hair."""
    person = head.person
    colour = mix(person.hair_colour, (40, 28, 26), 0.25)
    a, y = head.half, head.mouth_y
    if person.beard in ("full", "stubble"):
        outline = head.contour()
        jaw = outline[outline[:, 1] > 0.1]
        # Along the jaw from one ear to the other, then back above the mouth.
        back = [head.at(x, v) for x, v in ((-a * 0.66, 0.17), (-0.16, 0.23), (0, y - 0.065), (0.16, 0.23), (a * 0.66, 0.17))]
        fill = colour if person.beard == "full" else (*mix(person.skin, colour, 0.7), 110)
        pen.shape([*map(tuple, jaw.tolist()), *back], fill, body=person.beard == "full")
    elif person.beard == "goatee":
        pen.blob(
            [head.at(x, v) for x, v in ((-0.09, y + 0.07), (0.09, y + 0.07), (0.07, 0.46), (0, 0.51), (-0.07, 0.46))], colour, body=False
        )
    if person.beard in ("moustache", "full", "goatee"):
        top = y - 0.05
        path = [
            (-0.15, top + 0.04),
            (-0.07, top - 0.018),
            (0, top),
            (0.07, top - 0.018),
            (0.15, top + 0.04),
            (0.06, top + 0.03),
            (-0.06, top + 0.03),
        ]
        pen.blob([head.at(x, v, bump=0.02) for x, v in path], mix(colour, (30, 20, 20), 0.15), body=False)


def glasses(pen: Pen, head: Head) -> None:
    """Two frames, a bridge and temples; the glass hardly shows."""
    person = head.person
    if person.glasses == "none":
        return
    frames = []
    for side, (x, y) in zip(_SIDES, head.eyes(), strict=True):
        wide, high = 0.115 * head.squeeze(side * person.eye_gap), 0.1
        if person.glasses == "round":
            ring = [(x + wide * np.cos(t), y + high * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 14, endpoint=False)]
        else:
            tall = high * 0.8
            ring = [(x - wide, y - tall), (x, y - tall * 1.08), (x + wide, y - tall), (x + wide * 1.02, y), (x + wide * 0.85, y + tall),
                    (x, y + tall * 1.1), (x - wide * 0.85, y + tall), (x - wide * 1.02, y)]  # fmt: skip
        pen.blob(ring, (214, 232, 246, 44), body=False)
        if person.glasses == "half":
            pen.line([ring[7], ring[0], ring[1], ring[2], ring[3]], 0.03, person.frame, body=False)
        else:
            pen.line(ring, 0.026 if person.glasses == "square" else 0.02, person.frame, closed=True, body=False)
        frames.append((x, y, wide))
        edge = head.rim(side * head.half, person.eye_height + 0.01)
        pen.line([(x + side * wide, y - 0.02), edge], 0.018, person.frame, body=False)
    (xa, ya, wa), (xb, yb, wb) = frames
    pen.line([(xa + wa, ya - 0.01), ((xa + xb) / 2, (ya + yb) / 2 - 0.03), (xb - wb, yb - 0.01)], 0.02, person.frame, body=False)


def draw_features(pen: Pen, head: Head) -> None:
    """The face without its hair, brows and glasses, which lie over it."""
    ears(pen, head)
    skin(pen, head)
    beard(pen, head)
    nose(pen, head)
    mouth(pen, head)
    eyes(pen, head)
