"""Outdoor places: beach, forest, meadow, city, snow, desert, mountains, lake, and the open sky."""

from __future__ import annotations

import math
from random import Random

from demo.scenes.canvas import Canvas
from demo.scenes.colour import Rgb, mix
from demo.scenes.places.sky import land, sky


def beach(canvas: Canvas, time: str, rng: Random) -> None:
    """Sand, a strip of sea, and a palm at the edge now and then."""
    haze = sky(canvas, time, rng, 0.44)
    sea = land((36, 142, 190), time, rng)
    canvas.gradient(0.44, 0.66, mix(sea, haze, 0.35), mix(sea, (120, 220, 214), 0.3 if time == "day" else 0.05))
    for _ in range(14):
        u, v = rng.uniform(canvas.left, canvas.right), rng.uniform(0.46, 0.6)
        canvas.stroke([(u, v), (u + rng.uniform(0.04, 0.12), v)], 0.004, (255, 255, 255, 70))
    sand = land((240, 214, 156), time, rng)
    wave, shift = rng.uniform(1.0, 1.6), rng.uniform(0, 6)
    for lift, fill in ((0.0, mix(sea, (255, 255, 255), 0.7)), (0.012, mix(sand, sea, 0.25)), (0.03, sand)):
        edge = [
            (u / 40, 0.63 + lift + 0.012 * math.sin(wave * 2 * math.pi * u / 40 + shift))
            for u in range(round(canvas.left * 40) - 1, round(canvas.right * 40) + 2)
        ]
        canvas.shape([*edge, (canvas.right, canvas.bottom), (canvas.left, canvas.bottom)], fill)
    for _ in range(40):
        u, v = rng.uniform(canvas.left, canvas.right), rng.uniform(0.7, canvas.bottom)
        canvas.oval(u, v, 0.004, 0.0025, mix(sand, (120, 90, 60), rng.uniform(0.1, 0.35)))
    if rng.random() < 0.7:
        _palm(canvas, time, rng)


def _palm(canvas: Canvas, time: str, rng: Random) -> None:
    at_left = rng.random() < 0.5
    u = (canvas.left + 0.02) if at_left else (canvas.right - 0.02)
    lean = 0.1 if at_left else -0.1
    top = (u + lean, 0.26)
    canvas.stroke([(u - lean * 0.3, 0.74), (u + lean * 0.2, 0.5), top], 0.024, land((140, 100, 66), time, rng))
    for i in range(6):
        a = math.pi + math.pi * i / 5 + rng.uniform(-0.15, 0.15)
        tip = (top[0] + 0.17 * math.cos(a), top[1] + 0.09 * math.sin(a) + 0.07)
        mid = (top[0] + 0.09 * math.cos(a), top[1] + 0.1 * math.sin(a))
        canvas.shape([top, (mid[0], mid[1] - 0.022), tip, (mid[0], mid[1] + 0.022)], land((58, 134, 76), time, rng))


def forest(canvas: Canvas, time: str, rng: Random) -> None:
    """Rows of dark firs behind a mossy floor."""
    haze = sky(canvas, time, rng, 0.6, clouds=False)
    floor = land((92, 122, 62), time, rng)
    canvas.box(canvas.left, 0.53, canvas.right, canvas.bottom, mix(floor, haze, 0.25))
    for row, (foot, tall, green) in enumerate(((0.56, 0.38, (104, 156, 128)), (0.62, 0.46, (66, 122, 92)), (0.68, 0.54, (42, 92, 66)))):
        colour = mix(land(green, time, rng), haze, 0.3 - 0.14 * row)
        u = canvas.left - rng.uniform(0, 0.1)
        while u < canvas.right + 0.08:
            high = tall * rng.uniform(0.75, 1.1)
            wide = high * rng.uniform(0.18, 0.23)
            canvas.box(u - 0.012, foot - 0.08, u + 0.012, foot + 0.03, mix(colour, (60, 40, 30), 0.6))
            for step in range(3):
                y = foot - 0.05 - high * 0.27 * step
                w = wide * (1 - 0.26 * step)
                canvas.shape([(u - w, y), (u, y - high * 0.44), (u + w, y)], mix(colour, (255, 255, 255), 0.04 * step))
            u += wide * rng.uniform(1.0, 1.7)
    canvas.ridge(0.67, 0.012, floor, rng)
    canvas.ridge(0.82, 0.012, mix(floor, (40, 50, 20), 0.16), rng)
    for _ in range(26):
        _tuft(canvas, rng.uniform(canvas.left, canvas.right), rng.uniform(0.72, canvas.bottom), mix(floor, (30, 60, 24), 0.45), rng)


def _tuft(canvas: Canvas, u: float, v: float, colour: Rgb, rng: Random) -> None:
    for lean in (-0.012, 0, 0.012):
        canvas.stroke([(u, v), (u + lean, v - rng.uniform(0.015, 0.03))], 0.005, colour)


def meadow(canvas: Canvas, time: str, rng: Random) -> None:
    """Green hills with tufts and tiny flowers."""
    haze = sky(canvas, time, rng, 0.56)
    green = land((126, 190, 84), time, rng)
    canvas.ridge(0.5, 0.03, mix(green, haze, 0.5), rng, waves=1.2)
    canvas.ridge(0.56, 0.02, mix(green, haze, 0.22), rng, waves=1.5)
    canvas.ridge(0.62, 0.012, green, rng)
    canvas.ridge(0.8, 0.012, mix(green, (40, 90, 30), 0.14), rng)
    for _ in range(40):
        u, v = rng.uniform(canvas.left, canvas.right), rng.uniform(0.66, canvas.bottom)
        _tuft(canvas, u, v, mix(green, (30, 90, 30), 0.4), rng)
        if rng.random() < 0.6:
            bloom = land(rng.choice(((255, 250, 240), (255, 226, 120), (250, 190, 210))), time, rng)
            canvas.oval(u, v - 0.02, 0.0065, 0.0065, bloom)


def city(canvas: Canvas, time: str, rng: Random) -> None:
    """Two rows of houses behind a street with a pavement."""
    haze = sky(canvas, time, rng, 0.6)
    window = (255, 222, 130) if time != "day" else (214, 232, 242)
    for row, (low, high) in enumerate(((0.22, 0.42), (0.36, 0.52))):
        u = canvas.left - rng.uniform(0, 0.1)
        while u < canvas.right:
            wide, roof = rng.uniform(0.12, 0.2), rng.uniform(low, high)
            wall = rng.choice(((150, 160, 184), (176, 156, 160), (134, 150, 166), (186, 174, 158), (122, 132, 158)))
            colour = mix(land(wall, time, rng), haze, 0.42 - 0.3 * row)
            canvas.box(u, roof, u + wide, 0.7, colour)
            canvas.box(u, roof, u + wide, roof + 0.012, mix(colour, (20, 20, 40), 0.25))
            columns = max(2, int(wide / 0.042))
            pace = wide / columns
            for i in range(columns):
                for j in range(int((0.68 - roof) / 0.062)):
                    on = time == "day" or rng.random() < 0.5
                    pane = mix(window, colour, 0.3 + 0.2 * (1 - row)) if on else mix(colour, (10, 14, 34), 0.4)
                    x, y = u + pace * (i + 0.5), roof + 0.04 + 0.062 * j
                    canvas.box(x - pace * 0.26, y, x + pace * 0.26, y + 0.032, pane)
            u += wide + rng.choice((0.0, 0.0, 0.01))
    street = land((112, 114, 126), time, rng)
    canvas.box(canvas.left, 0.66, canvas.right, 0.72, land((196, 192, 186), time, rng))
    canvas.box(canvas.left, 0.72, canvas.right, canvas.bottom, street)
    canvas.box(canvas.left, 0.715, canvas.right, 0.725, mix(street, (20, 20, 30), 0.3))
    u = canvas.left + rng.uniform(-0.1, 0.05)
    while u < canvas.right:
        canvas.shape([(u, 0.86), (u + 0.1, 0.86), (u + 0.09, 0.875), (u - 0.012, 0.875)], land((232, 226, 200), time, rng))
        u += 0.21


def snow(canvas: Canvas, time: str, rng: Random) -> None:
    """White drifts, far firs, falling flakes."""
    haze = sky(canvas, time, rng, 0.56)
    white = land((234, 241, 250), time, rng) if time != "night" else land((222, 230, 250), time, rng)
    canvas.ridge(0.52, 0.025, mix(white, haze, 0.45), rng, waves=1.2)
    u = canvas.left
    while u < canvas.right:
        high = rng.uniform(0.07, 0.14)
        colour = mix(land((84, 124, 122), time, rng), haze, 0.35)
        for step in range(2):
            y = 0.585 - high * 0.36 * step
            canvas.shape([(u - high * 0.26, y), (u, y - high * 0.6), (u + high * 0.26, y)], mix(colour, white, 0.3 * step))
        u += rng.uniform(0.04, 0.16)
    canvas.ridge(0.59, 0.018, mix(white, (150, 180, 220), 0.16), rng, waves=1.4)
    canvas.ridge(0.7, 0.014, white, rng)
    canvas.ridge(0.86, 0.012, mix(white, (150, 180, 220), 0.1), rng)
    for _ in range(rng.choice((25, 70))):
        r = rng.uniform(0.003, 0.008)
        canvas.oval(rng.uniform(canvas.left, canvas.right), rng.uniform(canvas.top, canvas.bottom), r, r, (255, 255, 255, 215))


def desert(canvas: Canvas, time: str, rng: Random) -> None:
    """Dunes and cacti."""
    haze = sky(canvas, time, rng, 0.56, clouds=False)
    dune = land((230, 172, 104), time, rng)
    canvas.ridge(0.5, 0.05, mix(dune, haze, 0.45), rng, waves=0.9)
    canvas.ridge(0.58, 0.03, mix(dune, haze, 0.18), rng, waves=1.1)
    for _ in range(rng.choice((2, 3, 4))):
        u, v, high = rng.uniform(canvas.left, canvas.right), rng.uniform(0.6, 0.66), rng.uniform(0.09, 0.16)
        _cactus(canvas, u, v, high, land((92, 140, 88), time, rng))
    canvas.ridge(0.65, 0.014, dune, rng)
    canvas.ridge(0.82, 0.02, mix(dune, (150, 90, 50), 0.16), rng, waves=1.2)
    for _ in range(12):
        u, v, r = rng.uniform(canvas.left, canvas.right), rng.uniform(0.7, canvas.bottom), rng.uniform(0.004, 0.012)
        canvas.oval(u, v, r, r * 0.6, mix(dune, (110, 70, 50), 0.45))


def _cactus(canvas: Canvas, u: float, v: float, high: float, colour: Rgb) -> None:
    wide = high * 0.17
    canvas.stroke([(u, v), (u, v - high)], wide, colour)
    canvas.oval(u, v - high, wide / 2, wide / 2, colour)
    for side, low, reach in ((-1, 0.4, 0.32), (1, 0.55, 0.28)):
        elbow = (u + side * reach * high, v - low * high)
        canvas.stroke([(u, v - low * high), elbow, (elbow[0], elbow[1] - 0.28 * high)], wide * 0.75, colour)


def mountains(canvas: Canvas, time: str, rng: Random) -> None:
    """Two chains of peaks with snow above a rocky meadow."""
    haze = sky(canvas, time, rng, 0.58)
    rock = land((122, 130, 156), time, rng)
    canvas.peaks(0.58, 0.4, mix(rock, haze, 0.5), mix((255, 255, 255), haze, 0.35), rng)
    canvas.peaks(0.63, 0.3, mix(rock, haze, 0.12), mix((255, 255, 255), haze, 0.12 if time == "day" else 0.4), rng)
    grass = land((122, 152, 100), time, rng)
    canvas.ridge(0.62, 0.014, grass, rng)
    canvas.ridge(0.8, 0.014, mix(grass, (70, 80, 60), 0.2), rng)
    for _ in range(14):
        u, v, r = rng.uniform(canvas.left, canvas.right), rng.uniform(0.67, canvas.bottom), rng.uniform(0.008, 0.022)
        canvas.oval(u, v, r, r * 0.6, mix(rock, (90, 90, 90), 0.3))
        canvas.oval(u - r * 0.2, v - r * 0.15, r * 0.6, r * 0.3, mix(rock, (220, 220, 225), 0.25))


def lake(canvas: Canvas, time: str, rng: Random) -> None:
    """Wide water between wooded shores."""
    haze = sky(canvas, time, rng, 0.46)
    shore = land((92, 146, 96), time, rng)
    canvas.ridge(0.42, 0.03, mix(shore, haze, 0.5), rng, waves=1.2)
    canvas.ridge(0.45, 0.018, mix(shore, haze, 0.15), rng, waves=2.2)
    water = land((66, 138, 180), time, rng)
    canvas.gradient(0.48, canvas.bottom, mix(water, haze, 0.45), mix(water, (16, 50, 90), 0.25))
    for _ in range(34):
        u, v = rng.uniform(canvas.left - 0.05, canvas.right), rng.uniform(0.5, canvas.bottom)
        reach = rng.uniform(0.03, 0.07) * (0.6 + v)
        canvas.stroke([(u, v), (u + reach, v)], 0.005, (*mix(haze, (255, 255, 255), 0.5), 90))
    if rng.random() < 0.6:
        u0, side = (canvas.left, 1) if rng.random() < 0.5 else (canvas.right, -1)
        for _ in range(7):
            u = u0 + side * rng.uniform(0, 0.1)
            canvas.stroke([(u, canvas.bottom), (u + rng.uniform(-0.02, 0.02), 0.84)], 0.007, land((84, 128, 70), time, rng))


def open_sky(canvas: Canvas, time: str, rng: Random) -> None:
    """Nothing but sky, high above everything."""
    haze = sky(canvas, time, rng, 1.05)
    white = {"day": (250, 252, 255), "sunset": (254, 196, 170), "night": (56, 68, 118)}[time]
    for u in range(round(canvas.left * 6) - 1, round(canvas.right * 6) + 1):
        v = min(canvas.bottom, 1.1) + rng.uniform(-0.03, 0.05)
        canvas.cloud(u / 6 + 0.08, v, rng.uniform(0.17, 0.24), mix(white, haze, rng.uniform(0.05, 0.3)), rng)
