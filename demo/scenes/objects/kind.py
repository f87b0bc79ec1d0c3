"""What the registry knows of a kind of object: its names, where it may be, how large it is and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from demo.scenes.colour import COLOURS, Tint
from demo.scenes.pen import Pen

Habitat = Literal["ground", "air", "water"]
Drawing = Callable[[Pen, Tint, Random], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object.

    `size` is its usual width or height, whichever is larger, as a share of the picture's shorter side; `shape` is
    (width, height) of what is drawn inside its unit box, standing on the box's bottom edge; `sways` is the largest
    turn in radians. `not_in` names places where it would be lost in, or mistaken for, the backdrop.
    """

    name: str
    plural: str
    habitat: Habitat
    size: float
    draw: Drawing
    shape: tuple[float, float] = (1.0, 1.0)
    sways: float = 0.06
    mirrors: bool = True
    also: tuple[str, str] | None = None
    not_in: frozenset[str] = frozenset()
    colours: tuple[str, ...] = tuple(COLOURS)
