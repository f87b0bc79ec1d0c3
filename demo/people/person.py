"""A person: everything about a face that stays the same from picture to picture; all of it follows from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal, Self, get_args

from demo.scenes.colour import Rgb, jitter, mix

Hair = Literal[
    "short", "parted", "spiky", "receding", "bald", "curly", "afro", "fringe", "bob", "long", "wavy", "bun", "ponytail", "pigtails"
]
Beard = Literal["none", "stubble", "moustache", "goatee", "full"]
Glasses = Literal["none", "round", "square", "half"]
HAIR: tuple[Hair, ...] = get_args(Hair)

# Seeds of people for different ends; the ranges do not meet, so nobody whom training saw is met again.
TRAINING_PEOPLE = range(100_000)
VALIDATION_PEOPLE = range(1_000_000, 1_100_000)
EVALUATION_PEOPLE = range(2_000_000, 2_100_000)
ALBUM_PEOPLE = range(3_000_000, 3_100_000)

_SKINS: tuple[Rgb, ...] = (
    (255, 224, 200), (250, 212, 182), (243, 198, 162), (230, 180, 140), (212, 158, 116),
    (190, 134, 92), (162, 108, 72), (132, 86, 58), (104, 66, 46), (84, 54, 40),
)  # fmt: skip
_HAIRS: tuple[Rgb, ...] = (
    (38, 32, 36), (64, 44, 36), (98, 64, 42), (142, 94, 56), (206, 164, 92),
    (238, 208, 140), (188, 82, 40), (214, 116, 52), (148, 148, 154), (226, 226, 224),
)  # fmt: skip
_DYED: tuple[Rgb, ...] = ((92, 120, 206), (220, 104, 156), (112, 176, 140), (142, 96, 188))
_IRISES: tuple[Rgb, ...] = ((70, 46, 32), (110, 72, 40), (72, 112, 150), (86, 130, 88), (104, 118, 128))
_FRAMES: tuple[Rgb, ...] = ((36, 34, 42), (120, 70, 40), (178, 44, 52), (52, 88, 160), (196, 164, 84), (224, 224, 228))
_JEWELS: tuple[Rgb, ...] = ((246, 206, 90), (226, 232, 240), (222, 74, 98), (72, 168, 176))
_MANLY: tuple[Hair, ...] = ("short", "short", "parted", "parted", "spiky", "receding", "bald", "curly", "afro", "fringe", "long", "bun")
_WOMANLY: tuple[Hair, ...] = (
    "long",
    "long",
    "wavy",
    "wavy",
    "bob",
    "bob",
    "fringe",
    "bun",
    "ponytail",
    "pigtails",
    "curly",
    "afro",
    "parted",
)


@dataclass(frozen=True, slots=True)
class Person:
    """One person. Lengths are in head heights (crown to chin), factors around 1."""

    seed: int
    skin: Rgb
    width: float
    jaw: float
    hair: Hair
    hair_colour: Rgb
    volume: float
    parting: int
    eye: float
    eye_gap: float
    eye_height: float
    iris: Rgb
    lashes: bool
    brow: float
    brow_tilt: float
    nose: float
    nose_length: float
    mouth: float
    lips: Rgb
    beard: Beard
    glasses: Glasses
    frame: Rgb
    ears: float
    earrings: Rgb | None
    freckles: bool
    mole: tuple[float, float] | None
    build: float

    def __post_init__(self) -> None:
        if self.hair not in HAIR:
            raise ValueError(f"no such hair: {self.hair!r}; there are {', '.join(HAIR)}")

    @classmethod
    def of(cls, seed: int) -> Self:
        """The person of a seed: always the same one."""
        rng = Random(f"person {seed}")
        womanly = rng.random() < 0.5
        skin = jitter(rng.choice(_SKINS), rng, 0.6)
        dark = sum(skin) < 420
        hair_colour = jitter(
            rng.choice(_DYED) if rng.random() < 0.08 else rng.choice(_HAIRS[:3] if dark and rng.random() < 0.7 else _HAIRS), rng
        )
        hair = rng.choice(_WOMANLY if womanly else _MANLY)
        beard: Beard = "none" if womanly else rng.choice(("none", "none", "none", "stubble", "moustache", "goatee", "full", "full"))
        painted = womanly and rng.random() < 0.5
        lips = jitter((198, 52, 70), rng, 1.5) if painted else mix(skin, (176, 60, 66), rng.uniform(0.3, 0.5))
        return cls(
            seed=seed,
            skin=skin,
            width=rng.uniform(0.86, 1.1),
            jaw=rng.uniform(0.0, 0.75) if womanly else rng.uniform(0.25, 1.0),
            hair=hair,
            hair_colour=hair_colour,
            volume=rng.uniform(0.85, 1.25),
            parting=rng.choice((-1, 1)),
            eye=rng.uniform(0.85, 1.25),
            eye_gap=rng.uniform(0.145, 0.18),
            eye_height=rng.uniform(-0.01, 0.05),
            iris=jitter(rng.choice(_IRISES[:2] if dark else _IRISES), rng),
            lashes=womanly,
            brow=rng.uniform(0.6, 1.1) if womanly else rng.uniform(0.9, 1.7),
            brow_tilt=rng.uniform(-0.02, 0.025),
            nose=rng.uniform(0.75, 1.35),
            nose_length=rng.uniform(0.85, 1.12),
            mouth=rng.uniform(0.1, 0.15),
            lips=lips,
            beard=beard,
            glasses=rng.choice(("none", "none", "none", "round", "square", "half")),
            frame=rng.choice(_FRAMES),
            ears=rng.uniform(0.8, 1.2),
            earrings=rng.choice(_JEWELS) if womanly and rng.random() < 0.5 else None,
            freckles=not dark and rng.random() < 0.18,
            mole=(rng.choice((-1, 1)) * rng.uniform(0.13, 0.22), rng.uniform(0.14, 0.3)) if rng.random() < 0.15 else None,
            build=rng.uniform(0.85, 1.2),
        )
