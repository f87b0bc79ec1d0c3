"""The head as a solid: points on the front of a face go where yaw and pitch take them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo.people.look import Look
from demo.people.person import Person
from demo.scenes.pen import Point, both_sides, smooth

_DEPTH = 0.29
HAIRLINE = -0.34  # where a face begins: above it lies hair, or what would be under it


@dataclass(frozen=True, slots=True)
class Head:
    """One person's head in one look. Head coordinates: the crown at y = -0.5, the chin at 0.5, x = 0 in the middle."""

    person: Person
    look: Look

    @property
    def half(self) -> float:
        """Half of the face's width."""
        return 0.365 * self.person.width

    def at(self, x: float, y: float, bump: float = 0.0) -> Point:
        """Where a point of the face is seen; `bump` is how far it stands out."""
        z = _DEPTH * math.sqrt(max(0.0, 1 - (x / 0.56) ** 2 - (y / 0.72) ** 2)) + bump
        return x * math.cos(self.look.yaw) + z * math.sin(self.look.yaw), y * math.cos(self.look.pitch) + z * math.sin(self.look.pitch)

    def rim(self, x: float, y: float) -> Point:
        """Where a point of the outline is seen: the chin leads, the back of the head lags behind."""
        turn, nod = math.sin(self.look.yaw), math.sin(self.look.pitch)
        return x * (1 - 0.06 * abs(turn)) + 0.13 * turn * (y + 0.1), y + 0.08 * nod * (y + 0.5)

    def squeeze(self, x: float) -> float:
        """How much narrower things at `x` look for the turn of the head."""
        away = x * math.sin(self.look.yaw)
        return math.cos(self.look.yaw) * (1 - 1.1 * max(0.0, away))

    def contour(self) -> NDArray[np.float64]:
        """The closed outline of skull and face, [n, 2]."""
        a, jaw = self.half, self.person.jaw
        right = [
            (0, -0.5), (a * 0.62, -0.45), (a * 0.95, -0.24), (a, 0.0), (a * (0.93 + 0.04 * jaw), 0.2),
            (a * (0.6 + 0.25 * jaw), 0.38), (a * (0.28 + 0.2 * jaw), 0.478), (0, 0.5),
        ]  # fmt: skip
        return smooth([self.rim(x, y) for x, y in both_sides(right)], closed=True)

    def face(self) -> NDArray[np.float64]:
        """The part of the outline below the hairline, [n, 2]; its bounding box is the face's."""
        outline = self.contour()
        return outline[outline[:, 1] >= HAIRLINE]

    def eyes(self) -> tuple[Point, Point]:
        """Centres, the one on the picture's left first."""
        x, y = self.person.eye_gap, self.person.eye_height
        return self.at(-x, y), self.at(x, y)

    @property
    def nose_y(self) -> float:
        """How far down the tip is."""
        return self.person.eye_height + 0.175 * self.person.nose_length

    def nose(self) -> Point:
        """The tip."""
        return self.at(0, self.nose_y, bump=0.09)

    @property
    def mouth_y(self) -> float:
        """How far down the mouth's corners are."""
        return 0.315 + 0.02 * (self.person.nose_length - 1) - 0.02 * self.look.smile

    def mouth(self) -> tuple[Point, Point]:
        """The corners; a smile draws them apart and up."""
        x = self.person.mouth * (1 + 0.18 * self.look.smile)
        return self.at(-x, self.mouth_y), self.at(x, self.mouth_y)

    def landmarks(self) -> NDArray[np.float64]:
        """[5, 2]: eyes, nose, mouth corners, in ArcFace's order."""
        return np.array([*self.eyes(), self.nose(), *self.mouth()])
