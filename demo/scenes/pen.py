"""A pen that draws one object: shapes in the object's own unit box become antialiased polygons on the canvas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from demo.scenes.colour import Rgb, multiply

Point = tuple[float, float]
Points = Sequence[Point]
Fill = Rgb | tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Pose:
    """Where an object stands: centre and size in canvas pixels, clockwise turn in radians, mirrored or not."""

    x: float
    y: float
    size: float
    turn: float = 0.0
    mirrored: bool = False


class Pen:
    """Collects an object's shapes, x and y in [-0.5, 0.5] with y down; `finish` puts them on the canvas.

    Shapes with `body=True` get one common outline around all of them, as if cut from one piece of paper.
    """

    def __init__(self, draw: ImageDraw.ImageDraw, pose: Pose, light: tuple[float, float, float], *, lit: bool) -> None:
        self.lit = lit  # lamps and windows shine
        self._draw = draw
        self._light = light
        cos, sin = math.cos(pose.turn) * pose.size, math.sin(pose.turn) * pose.size
        flip = -1.0 if pose.mirrored else 1.0
        self._matrix = np.array([[cos * flip, sin * flip], [-sin, cos]])
        self._origin = np.array([pose.x, pose.y])
        self._size = pose.size
        self._shapes: list[tuple[list[Point], Fill, bool]] = []

    def shape(self, points: Points | NDArray[np.float64], fill: Fill, *, body: bool = True, glows: bool = False) -> None:
        """A closed polygon with straight sides; `glows` keeps its colour in the dark."""
        placed = np.asarray(points, dtype=np.float64) @ self._matrix + self._origin
        colour = fill if glows else (*multiply(fill[:3], self._light), *fill[3:])
        self._shapes.append(([(x, y) for x, y in placed.tolist()], colour, body))

    def blob(self, points: Points, fill: Fill, *, body: bool = True, glows: bool = False) -> None:
        """A closed smooth curve through the points (Catmull-Rom)."""
        self.shape(smooth(points, closed=True), fill, body=body, glows=glows)

    def oval(
        self, x: float, y: float, rx: float, ry: float, fill: Fill, *, turn: float = 0.0, body: bool = True, glows: bool = False
    ) -> None:
        """An ellipse with half axes `rx` and `ry`."""
        angles = np.linspace(0, 2 * math.pi, 28, endpoint=False)
        across, down = rx * np.cos(angles), ry * np.sin(angles)
        cos, sin = math.cos(turn), math.sin(turn)
        ring = np.stack([x + across * cos - down * sin, y + across * sin + down * cos], axis=1)
        self.shape(ring, fill, body=body, glows=glows)

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Fill, *, body: bool = True, glows: bool = False) -> None:
        """An upright rectangle."""
        self.shape([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill, body=body, glows=glows)

    def line(self, points: Points, width: float, fill: Fill, *, curved: bool = True, closed: bool = False, body: bool = True) -> None:
        """A stroke with round ends through the points."""
        path = smooth(points, closed=closed) if curved and len(points) > 2 else np.asarray(points, dtype=np.float64)
        if closed:
            path = np.vstack([path, path[:1]])
        for start, end in pairwise(path):
            along = end - start
            length = float(np.hypot(*along)) or 1e-9
            side = np.array([-along[1], along[0]]) / length * width / 2
            # A little longer than the segment, so that bends leave no gaps.
            reach = along / length * width * 0.2
            self.shape(
                np.array([start + side - reach, end + side + reach, end - side + reach, start - side - reach]),
                fill,
                body=body,
            )
        if not closed:
            for end in (path[0], path[-1]):
                self.oval(float(end[0]), float(end[1]), width / 2, width / 2, fill, body=body)

    def finish(self, outline: Rgb) -> None:
        """Draw the outline of the whole, then every shape in the order of its calls."""
        edge = max(2, round(self._size * 0.022))
        for points, _, body in self._shapes:
            if body:
                self._draw.polygon(points, fill=outline)
                self._draw.line([*points, points[0], points[1]], fill=outline, width=2 * edge, joint="curve")
        for points, fill, _ in self._shapes:
            self._draw.polygon(points, fill=fill)
        self._shapes.clear()


def both_sides(right: Points) -> list[Point]:
    """An outline that is the same on both sides: points of the right half from the top down, completed by their mirror images.

    Points on the middle line (x = 0) are not doubled.
    """
    return [*right, *((-x, y) for x, y in reversed(right) if x != 0)]


def smooth(points: Points, *, closed: bool, steps: int = 7) -> NDArray[np.float64]:
    """A Catmull-Rom curve through the points, `steps` pieces between two of them."""
    knots = np.asarray(points, dtype=np.float64)
    padded = np.vstack([knots[-1:], knots, knots[:2]]) if closed else np.vstack([knots[:1], knots, knots[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (padded[i : len(padded) - 3 + i, None, :] for i in range(4))
    curve = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    flat = curve.reshape(-1, 2)
    return flat if closed else np.vstack([flat, knots[-1:]])
