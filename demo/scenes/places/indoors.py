"""Places without a sky: a room, under water, and the plain coloured backdrop of a studio."""

from __future__ import annotations

import math
from random import Random

from demo.scenes.canvas import Canvas
from demo.scenes.colour import COLOURS, jitter, mix


def room(canvas: Canvas, time: str, rng: Random) -> None:
    """A wall with a window and a picture, a skirting board and a wooden floor."""
    wall = jitter(rng.choice(((232, 216, 196), (212, 222, 212), (222, 212, 226), (238, 226, 200), (206, 218, 230))), rng)
    canvas.gradient(canvas.top, 0.68, mix(wall, (255, 255, 255), 0.15), wall)
    for i in range(round((canvas.right - canvas.left) / 0.14) + 1):
        u = canvas.left + 0.14 * i
        canvas.box(u, canvas.top, u + 0.05, 0.66, (*mix(wall, (255, 255, 255), 0.4), 70))
    floor = jitter((190, 142, 98), rng)
    canvas.gradient(0.68, canvas.bottom, mix(floor, (90, 56, 30), 0.1), mix(floor, (255, 230, 190), 0.12))
    for i in range(-8, 17):
        u = 0.125 * i
        canvas.stroke([(u, 0.68), (0.5 + (u - 0.5) * 1.9, canvas.bottom)], 0.004, mix(floor, (80, 50, 30), 0.4))
    canvas.box(canvas.left, 0.655, canvas.right, 0.685, mix(wall, (255, 255, 255), 0.6))
    u = rng.choice((0.1, 0.36, 0.6))
    canvas.box(u - 0.02, 0.1, u + 0.3, 0.46, mix(wall, (255, 255, 255), 0.75))
    canvas.box(u, 0.12, u + 0.28, 0.44, (170, 212, 236))
    canvas.oval(u + 0.07, 0.3, 0.05, 0.025, (236, 246, 252))
    canvas.oval(u + 0.19, 0.22, 0.06, 0.028, (236, 246, 252))
    canvas.box(u + 0.134, 0.12, u + 0.146, 0.44, mix(wall, (255, 255, 255), 0.75))
    canvas.box(u, 0.272, u + 0.28, 0.284, mix(wall, (255, 255, 255), 0.75))
    canvas.box(u - 0.04, 0.46, u + 0.32, 0.485, mix(wall, (120, 90, 70), 0.3))
    frame = u + 0.42 if u < 0.4 else u - 0.3
    canvas.box(frame, 0.18, frame + 0.17, 0.36, (120, 88, 66))
    canvas.box(frame + 0.015, 0.195, frame + 0.155, 0.345, (238, 232, 218))
    hills = [(0.015, 0.345), (0.07, 0.26), (0.105, 0.3), (0.125, 0.28), (0.155, 0.345)]
    canvas.shape([(frame + du, v) for du, v in hills], (150, 170, 150))
    if rng.random() < 0.6:
        rug = jitter(rng.choice(((206, 150, 140), (150, 168, 190), (206, 190, 140))), rng)
        canvas.oval(0.5, 0.86, 0.44, 0.1, rug)
        canvas.oval(0.5, 0.86, 0.38, 0.08, mix(rug, (255, 255, 255), 0.25))


def underwater(canvas: Canvas, time: str, rng: Random) -> None:
    """Blue depth with light from above, weeds, stones and bubbles."""
    upper, lower = rng.choice((((92, 200, 220), (18, 84, 140)), ((70, 184, 206), (14, 92, 124)), ((110, 196, 232), (32, 70, 148))))
    canvas.gradient(canvas.top, canvas.bottom, upper, lower)
    for _ in range(5):
        u = rng.uniform(canvas.left, canvas.right)
        wide = rng.uniform(0.03, 0.09)
        canvas.shape([(u, canvas.top), (u + wide, canvas.top), (u + wide * 2.4 - 0.18, 0.95), (u - wide - 0.18, 0.95)], (255, 255, 255, 22))
    sand = mix((226, 206, 160), lower, 0.34)
    canvas.ridge(0.8, 0.02, mix(sand, lower, 0.4), rng, waves=1.2)
    for _ in range(9):
        u, high = rng.uniform(canvas.left, canvas.right), rng.uniform(0.1, 0.3)
        green = mix(rng.choice(((52, 140, 92), (84, 150, 80), (40, 120, 104))), lower, 0.3)
        sway, phase = rng.uniform(0.008, 0.02), rng.uniform(0, 6)
        canvas.stroke([(u + sway * math.sin(phase + 9 * high * t), 0.88 - high * t) for t in (0, 0.2, 0.4, 0.6, 0.8, 1)], 0.014, green)
    canvas.ridge(0.87, 0.014, sand, rng)
    for _ in range(8):
        u, v, r = rng.uniform(canvas.left, canvas.right), rng.uniform(0.9, canvas.bottom), rng.uniform(0.008, 0.026)
        canvas.oval(u, v, r, r * 0.6, mix((130, 130, 140), lower, 0.35))
    for _ in range(16):
        u, v, r = rng.uniform(canvas.left, canvas.right), rng.uniform(canvas.top, 0.8), rng.uniform(0.004, 0.012)
        canvas.oval(u, v, r, r, (255, 255, 255, 60))
        canvas.oval(u - r * 0.3, v - r * 0.3, r * 0.4, r * 0.4, (255, 255, 255, 160))


def studio(canvas: Canvas, colour: str, rng: Random) -> None:
    """One colour, brighter in the middle, with a faint pattern now and then."""
    base = jitter(COLOURS[colour], rng)
    soft = mix(base, (255, 255, 255), 0.0 if colour in {"black", "brown", "white"} else 0.18)
    canvas.gradient(canvas.top, canvas.bottom, mix(soft, (255, 255, 255), 0.08), mix(soft, (20, 16, 40), 0.1))
    canvas.glow(0.5, 0.45, 0.7, mix(soft, (255, 255, 255), 0.35), 0.55)
    if rng.random() < 0.4:
        pace = rng.choice((0.1, 0.14))
        for i in range(round((canvas.right - canvas.left) / pace) + 1):
            for j in range(round((canvas.bottom - canvas.top) / pace) + 1):
                u = canvas.left + pace * (i + 0.5 * (j % 2))
                canvas.oval(u, canvas.top + pace * j, 0.009, 0.009, (255, 255, 255, 34))
