"""The sky that every outdoor place shares: its colours by time of day, sun, moon, stars and clouds."""

from __future__ import annotations

from random import Random

from demo.scenes.canvas import Canvas
from demo.scenes.colour import Rgb, jitter, mix, multiply

_SKIES: dict[str, tuple[tuple[Rgb, Rgb], ...]] = {
    "day": (((98, 176, 232), (206, 234, 246)), ((74, 158, 224), (188, 226, 246)), ((142, 196, 228), (226, 238, 240))),
    "sunset": (((92, 76, 138), (252, 172, 110)), ((196, 92, 112), (254, 206, 128)), ((120, 84, 150), (248, 146, 120))),
    "night": (((14, 20, 52), (44, 62, 118)), ((20, 18, 50), (66, 58, 116)), ((8, 22, 46), (36, 74, 112))),
}
LIGHT: dict[str, tuple[float, float, float]] = {
    "day": (1.0, 1.0, 1.0),
    "sunset": (1.0, 0.92, 0.86),
    "night": (0.82, 0.85, 0.96),
}
_LAND: dict[str, tuple[float, float, float]] = {
    "day": (1.0, 1.0, 1.0),
    "sunset": (0.92, 0.74, 0.7),
    "night": (0.4, 0.47, 0.7),
}


def land(colour: Rgb, time: str, rng: Random) -> Rgb:
    """A backdrop's colour at that time of day, a little different each time."""
    return multiply(jitter(colour, rng, 0.7), _LAND[time])


def sky(canvas: Canvas, time: str, rng: Random, horizon: float, *, clouds: bool = True) -> Rgb:
    """Paint the sky down to `horizon`; returns its colour there, for haze and water."""
    upper, lower = rng.choice(_SKIES[time])
    canvas.gradient(canvas.top, horizon, upper, lower)
    canvas.gradient(horizon, canvas.bottom, lower, lower)
    across = rng.uniform(0.1, 0.9)
    if time == "night":
        for _ in range(70):
            u, v, size = rng.uniform(canvas.left, canvas.right), rng.uniform(canvas.top, horizon), rng.uniform(0.001, 0.003)
            canvas.oval(u, v, size, size, (*mix((255, 255, 240), upper, rng.uniform(0, 0.6)), 255))
        _moon(canvas, across, rng.uniform(0.08, 0.16), rng, upper)
    elif time == "sunset":
        v = horizon - rng.uniform(0.01, 0.09)
        canvas.glow(across, v, 0.6, (255, 214, 130), 0.7)
        canvas.oval(across, v, 0.085, 0.085, (255, 232, 164))
    else:
        v = rng.uniform(0.07, 0.14)
        canvas.glow(across, v, 0.24, (255, 250, 214), 0.75)
        if rng.random() < 0.6:
            canvas.oval(across, v, 0.05, 0.05, (255, 246, 190))
    if clouds:
        white = {"day": (252, 253, 255), "sunset": (254, 200, 168), "night": (64, 78, 128)}[time]
        for _ in range(rng.choice((1, 2, 3, 3))):
            u, v = rng.uniform(canvas.left, canvas.right), rng.uniform(canvas.top + 0.08, max(0.16, horizon - 0.22))
            canvas.cloud(u, v, rng.uniform(0.11, 0.2), mix(white, lower, rng.uniform(0.0, 0.35)), rng)
    return lower


def _moon(canvas: Canvas, u: float, v: float, rng: Random, dark: Rgb) -> None:
    canvas.glow(u, v, 0.24, (190, 206, 255), 0.5)
    canvas.oval(u, v, 0.05, 0.05, (246, 244, 222))
    if rng.random() < 0.5:
        canvas.oval(u + 0.026, v - 0.014, 0.044, 0.044, mix(dark, (190, 206, 255), 0.3))
    else:
        for du, dv, r in ((-0.015, -0.012, 0.011), (0.016, 0.004, 0.008), (-0.006, 0.022, 0.007)):
            canvas.oval(u + du, v + dv, r, r, (226, 224, 204))
