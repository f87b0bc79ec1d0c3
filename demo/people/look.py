"""A look: what changes from one picture of a person to the next: pose, expression, clothes, where the light comes from."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal, Self

from demo.scenes.colour import COLOURS, Rgb, jitter

Garment = Literal["tee", "striped", "shirt", "hoodie", "dress"]
_GARMENTS: tuple[Garment, ...] = ("tee", "striped", "shirt", "hoodie", "dress")
_JEANS: tuple[Rgb, ...] = ((58, 78, 120), (48, 50, 60), (120, 104, 84), (86, 96, 88))


@dataclass(frozen=True, slots=True)
class Look:
    """Angles in radians: `yaw` to the picture's right, `pitch` down, `roll` clockwise. `smile` -0.5..1, `open` 0..1.

    `shade` -1..1: how much darker the face's left (negative) or right half is. `gaze` -1..1 across.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    smile: float = 0.6
    open: float = 0.0
    blink: bool = False
    gaze: float = 0.0
    shade: float = 0.0
    garment: Garment = "tee"
    cloth: Rgb = (48, 116, 214)
    trousers: Rgb = (58, 78, 120)
    arms: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, rng: Random) -> Self:
        """Any look."""
        return cls(
            yaw=rng.triangular(-0.6, 0.6, 0.0),
            pitch=rng.triangular(-0.25, 0.25, 0.0),
            roll=rng.triangular(-0.42, 0.42, 0.0),
            smile=rng.uniform(-0.35, 1.0),
            open=rng.choice((0.0, 0.0, rng.uniform(0.2, 1.0))),
            blink=rng.random() < 0.06,
            gaze=rng.uniform(-1, 1),
            shade=rng.triangular(-1, 1, 0.0),
            garment=rng.choice(_GARMENTS),
            cloth=jitter(rng.choice(tuple(COLOURS.values())), rng),
            trousers=jitter(rng.choice(_JEANS), rng),
            arms=(rng.uniform(0, 0.35), rng.uniform(0, 0.35)),
        )
