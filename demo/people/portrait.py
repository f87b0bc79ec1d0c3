"""One person on a picture: behind hair, body, head, front hair, in this order; where face and landmarks have come to lie."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from demo.people.body import NECK, TUCK, draw_body
from demo.people.features import brows, draw_features, glasses
from demo.people.hair import back_hair, front_hair
from demo.people.head import Head
from demo.people.look import Look
from demo.people.person import Person
from demo.scenes.colour import Rgb, mix
from demo.scenes.pen import Pen, Pose

Lit = tuple[float, float, float]
DAYLIGHT: Lit = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnFace:
    """A face on a picture, in its pixels: box (x1, y1, x2, y2) from hairline to chin and from cheek to cheek, within the picture;
    landmarks [5, 2]: eye, eye, nose, mouth corner, mouth corner, the picture's left first.
    """

    person: int
    box: NDArray[np.float64]
    landmarks: NDArray[np.float64]

    @property
    def size(self) -> float:
        """The geometric mean of width and height."""
        return math.sqrt(float(np.prod(self.box[2:] - self.box[:2])))


def draw_person(draw: ImageDraw.ImageDraw, person: Person, look: Look, x: float, y: float, size: float, light: Lit = DAYLIGHT) -> DrawnFace:
    """Draw the whole figure with its head's middle near (x, y), `size` pixels from crown to chin; the box is not clipped yet."""
    upright, head = Pose(x, y - TUCK * size, size), Head(person, look)
    # The head turns about the neck.
    sway, rise = math.sin(look.roll) * NECK * size, (1 - math.cos(look.roll)) * NECK * size
    turned = Pose(x + sway, y + rise, size, look.roll)
    rim = mix(person.hair_colour, (20, 14, 24), 0.7)

    behind = Pen(draw, turned, light, lit=False)
    back_hair(behind, head)
    behind.finish(_lit(rim, light))
    body = Pen(draw, upright, light, lit=False)
    draw_body(body, person, look)
    body.finish(_lit(mix(look.cloth, (30, 22, 44), 0.66), light))
    face = Pen(draw, turned, light, lit=False)
    draw_features(face, head)
    face.finish(_lit(mix(person.skin, (60, 24, 34), 0.62), light))
    hair = Pen(draw, turned, light, lit=False)
    front_hair(hair, head)
    hair.finish(_lit(rim, light))
    over = Pen(draw, turned, light, lit=False)
    brows(over, head)
    glasses(over, head)
    over.finish(rim)

    points = _placed(head.face(), turned)
    box = np.concatenate([points.min(axis=0), points.max(axis=0)])
    return DrawnFace(person.seed, box, _placed(head.landmarks(), turned))


def _lit(colour: Rgb, light: Lit) -> Rgb:
    red, green, blue = (round(channel * gain) for channel, gain in zip(colour, light, strict=True))
    return min(255, red), min(255, green), min(255, blue)


def _placed(points: NDArray[np.float64], pose: Pose) -> NDArray[np.float64]:
    """Points of the unit box in pixels, as the pen places them."""
    cos, sin = math.cos(pose.turn) * pose.size, math.sin(pose.turn) * pose.size
    placed: NDArray[np.float64] = points @ np.array([[cos, sin], [-sin, cos]]) + (pose.x, pose.y)
    return placed
