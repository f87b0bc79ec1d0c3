"""Pictures with none to six people in a place, near or far: from a seed to a group, from a group to a picture and its faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image

from demo.people.body import FOOT, TUCK
from demo.people.light import Light, develop
from demo.people.look import Look
from demo.people.person import Person
from demo.people.portrait import DrawnFace, draw_person
from demo.scenes.canvas import Canvas
from demo.scenes.colour import COLOURS, Tint, jitter
from demo.scenes.objects import KINDS
from demo.scenes.pen import Pen, Pose
from demo.scenes.places import LIGHT, PLACES
from demo.scenes.places.indoors import studio

MOST = 6
PLACES_WITH_PEOPLE = ("beach", "forest", "meadow", "city", "snow", "desert", "mountains", "room")
_STUDIO = "studio"
_TRIES = 30
LEAST = 0.031  # a head's height as a share of the longer side: faces of 16 pixels in a letterbox of 640
_LARGEST = 0.95  # and of the shorter one
_STRAY = ("cat", "dog", "rabbit", "bird", "butterfly", "balloon", "flower", "tree", "ball", "umbrella", "house", "lamp", "kite", "car")


@dataclass(frozen=True, slots=True)
class Guest:
    """One person of a group: the head's middle in shares of width and height, its height as a share of the longer side."""

    person: Person
    look: Look
    x: float
    y: float
    head: float


@dataclass(frozen=True, slots=True)
class Group:
    """What a picture shows. `guests` are sorted from far to near; `objects` stand behind them; the rest follows from `seed`."""

    guests: tuple[Guest, ...]
    place: str
    time: str | None
    objects: tuple[str, ...]
    light: Light
    seed: int

    def __post_init__(self) -> None:
        if len(self.guests) > MOST:
            raise ValueError(f"{len(self.guests)} people in a group; expected {MOST} at most")
        if self.place != _STUDIO and self.place not in PLACES_WITH_PEOPLE:
            raise ValueError(f"no place for people: {self.place!r}; there are {', '.join((*PLACES_WITH_PEOPLE, _STUDIO))}")


def sample_group(
    seed: int, people: Sequence[int], size: tuple[int, int], *, count: int | None = None, least: float = LEAST, kind: str = "group"
) -> Group:
    """A group of a seed, with guests from `people` (seeds of persons), for a picture of `size`; `kind` sets apart uses of one seed.

    None to six guests, or `count`; fewer where no more find room. `least`: the smallest head, as a share of the longer side.
    """
    rng = Random(f"{kind} {seed}")
    wanted = count if count is not None else rng.choices(range(MOST + 1), (1, 6, 4, 3, 2, 2, 2))[0]
    place = _STUDIO if rng.random() < 0.15 else rng.choice(PLACES_WITH_PEOPLE)
    times = PLACES[place].times if place != _STUDIO else ()
    objects = tuple(rng.choice([name for name in _STRAY if name in KINDS]) for _ in range(rng.choice((0, 0, 1, 1, 2, 4))))
    persons = [Person.of(each) for each in rng.sample(people, wanted)]
    guests = _seated(persons, size, least, rng)
    return Group(guests, place, rng.choice(times) if times else None, objects, Light.of(rng), seed)


def draw_group(group: Group, size: tuple[int, int], *, supersampling: int = 2) -> tuple[Image.Image, list[DrawnFace]]:
    """The picture (RGB, `size` pixels) and its faces, boxes cut off at its edges; the same group gives the same picture."""
    rng = Random(f"backdrop {group.seed}")
    width, height = size
    canvas = Canvas(width * supersampling, height * supersampling)
    time = group.time or "day"
    if group.place == _STUDIO:
        studio(canvas, rng.choice(tuple(COLOURS)), rng)
    else:
        PLACES[group.place].paint(canvas, time, rng)
    for name in group.objects:
        _put(canvas, name, time, rng)
    light = tuple(a * b for a, b in zip(LIGHT[time], group.light.gains, strict=True))
    longer, faces = max(canvas.width, canvas.height), []
    for guest in group.guests:
        head, x, y = guest.head * longer, guest.x * canvas.width, guest.y * canvas.height
        foot = y + (FOOT - TUCK) * head
        canvas.draw.ellipse((x - 0.7 * head, foot - 0.12 * head, x + 0.8 * head, foot + 0.12 * head), fill=(24, 20, 52, 60))
        faces.append(draw_person(canvas.draw, guest.person, guest.look, x, y, head, (light[0], light[1], light[2])))
    image = canvas.image.resize(size, Image.Resampling.BOX) if supersampling > 1 else canvas.image
    return develop(image, group.light, group.seed), [_in_pixels(face, supersampling, size) for face in faces]


def _in_pixels(face: DrawnFace, supersampling: int, size: tuple[int, int]) -> DrawnFace:
    edges = np.array([*size, *size], dtype=np.float64)
    return DrawnFace(face.person, (face.box / supersampling).clip(0, edges), face.landmarks / supersampling)


def _seated(persons: Sequence[Person], size: tuple[int, int], least: float, rng: Random) -> tuple[Guest, ...]:
    """Places for them, the nearest first to be found and last to be drawn; who finds no room stays at home."""
    width, height = size
    longer, shorter = max(size), min(size)
    crowd = len(persons)
    # Head heights spread evenly over their logarithm; more people stand farther away.
    top = min(_LARGEST * shorter, 1.25 * width / max(1, crowd) ** 0.9) / longer
    base = least * (top / least) ** rng.random()
    heads = sorted((min(top, max(least, base * rng.uniform(0.75, 1.3))) for _ in persons), reverse=True)
    taken: list[tuple[float, float, float]] = []
    guests = []
    for person, share in zip(persons, heads, strict=True):
        head = share * longer
        for _ in range(_TRIES):
            x, y = _spot(head, width, height, rng)
            if all(_apart(x, y, head, *other) for other in taken):
                taken.append((x, y, head))
                guests.append(Guest(person, Look.of(rng), x / width, y / height, share))
                break
    return tuple(reversed(guests))


def _spot(head: float, width: int, height: int, rng: Random) -> tuple[float, float]:
    """Far figures stand on the ground with their feet; near ones are cut off by the lower edge."""
    side = min(0.55 * head, width * 0.5)
    x = rng.uniform(side, width - side)
    standing = (FOOT - TUCK) * head
    ground = rng.uniform(0.76, 0.97) * height
    if ground - standing > 0.6 * head:
        return x, ground - standing
    high = min(0.62 * head, height * 0.45)
    return x, rng.uniform(high, max(high, height - 0.62 * head))


def _apart(x: float, y: float, head: float, other_x: float, other_y: float, other_head: float) -> bool:
    """Whether a nearer figure leaves the face of this one free."""
    clear = abs(x - other_x) > 0.4 * head + 0.62 * other_head
    above = y + 0.52 * head < other_y - 0.62 * other_head
    beside_head = abs(x - other_x) > 0.4 * head + 0.55 * other_head and y + 0.5 * head < other_y + 0.55 * other_head
    return clear or above or beside_head


def _put(canvas: Canvas, name: str, time: str, rng: Random) -> None:
    kind = KINDS[name]
    scale = kind.size * rng.uniform(0.5, 1.2)
    u = rng.uniform(canvas.left, canvas.right)
    v = rng.uniform(0.1, 0.5) if kind.habitat == "air" else rng.uniform(0.74, 0.95) - scale / 2
    pose = Pose(canvas.x(u), canvas.y(v), scale * canvas.side, rng.uniform(-kind.sways, kind.sways), mirrored=rng.random() < 0.5)
    pen = Pen(canvas.draw, pose, LIGHT[time], lit=time != "day")
    tint = Tint.of(jitter(COLOURS[rng.choice(kind.colours)], rng))
    kind.draw(pen, tint, rng)
    pen.finish(tint.outline)
