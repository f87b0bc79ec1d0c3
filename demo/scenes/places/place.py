"""What the registry knows of a place: how captions name it, when it can be seen, and where in it things may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from demo.scenes.canvas import Canvas
from demo.scenes.objects.kind import Habitat

Painter = Callable[[Canvas, str, Random], None]
Band = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Place:
    """One place. `bands` gives, for each habitat there is, the rows of the unit square that belong to it: for `ground` and
    `water` surfaces the rows where things stand, otherwise the rows that things may fill.
    """

    name: str
    phrases: tuple[str, ...]
    paint: Painter
    bands: dict[Habitat, Band]
    times: tuple[str, ...] = ("day", "sunset", "night")
    floats: bool = False  # things fill the water instead of standing on its surface
