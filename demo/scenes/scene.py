"""A scene: what a picture shows, and the seed from which everything else about it (pose, size, light) follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from demo.scenes.colour import COLOURS
from demo.scenes.objects import KINDS
from demo.scenes.places import PLACES, TIMES

Relation = Literal["left", "right", "above", "below"]
RELATIONS: tuple[Relation, ...] = get_args(Relation)
OPPOSITE: dict[Relation, Relation] = {"left": "right", "right": "left", "above": "below", "below": "above"}
STUDIO = "studio"  # the place of a scene before a plain coloured backdrop
COUNTS = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Group:
    """One to four objects of one kind and one colour."""

    kind: str
    colour: str
    count: int

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no such kind of object: {self.kind!r}; there are {', '.join(KINDS)}")
        if self.colour not in KINDS[self.kind].colours:
            raise ValueError(f"a {self.kind} cannot be {self.colour!r}")
        if self.count not in COUNTS:
            raise ValueError(f"{self.count} objects in a group; expected one of {COUNTS}")


@dataclass(frozen=True, slots=True)
class Scene:
    """One or two groups in a place; `relation` says where the first is, seen from the second.

    `time` is None where no daylight comes in; `backdrop` is the colour of a studio's wall, None elsewhere.
    """

    groups: tuple[Group, ...]
    relation: Relation | None
    place: str
    time: str | None
    backdrop: str | None
    seed: int

    def __post_init__(self) -> None:
        if len(self.groups) not in (1, 2):
            raise ValueError(f"a scene has one or two groups, not {len(self.groups)}")
        if (self.relation is None) != (len(self.groups) == 1):
            raise ValueError("two groups need a relation, one group has none")
        if self.place == STUDIO:
            if self.backdrop not in COLOURS or self.time is not None:
                raise ValueError("a studio has a coloured backdrop and no time of day")
            return
        if self.place not in PLACES:
            raise ValueError(f"no such place: {self.place!r}; there are {', '.join(PLACES)}")
        if self.backdrop is not None:
            raise ValueError(f"{self.place} has no coloured backdrop")
        times = PLACES[self.place].times
        if (self.time not in times) if times else (self.time is not None):
            raise ValueError(f"{self.place} at {self.time!r}; expected one of {times or (None,)} (all: {TIMES})")
