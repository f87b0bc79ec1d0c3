"""What a caption states of a scene, as integers, so that "does this caption fit that picture?" is one comparison.

A caption that is silent on an attribute fits every value of it; a caption on one group fits a scene with two if one of
them matches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo.scenes.colour import COLOURS
from demo.scenes.objects import KINDS
from demo.scenes.places import PLACES, TIMES
from demo.scenes.scene import OPPOSITE, RELATIONS, STUDIO, Group, Relation, Scene

ANY = -1  # the caption says nothing of it
NONE = 99  # the scene has no such thing
_COLUMNS = 9  # kind, colour, count of two groups; relation; place; time

_KIND = {name: i for i, name in enumerate(KINDS)}
_COLOUR = {name: i for i, name in enumerate(COLOURS)}
_RELATION = {name: i for i, name in enumerate(RELATIONS)}
_TIME = {name: i for i, name in enumerate(TIMES)}
_PLACE = {name: i for i, name in enumerate((*PLACES, *(f"{STUDIO} {colour}" for colour in COLOURS)))}


@dataclass(frozen=True, slots=True)
class Claim:
    """What a caption says of one group; None is silence."""

    kind: str | None
    colour: str | None
    count: int | None

    @classmethod
    def of(cls, group: Group) -> Claim:
        """All there is to say of a group."""
        return cls(group.kind, group.colour, group.count)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a caption says of a scene: up to two groups (`relation` is the first's, seen from the second), place, time."""

    groups: tuple[Claim, ...]
    relation: Relation | None = None
    place: str | None = None
    backdrop: str | None = None
    time: str | None = None

    @classmethod
    def of(cls, scene: Scene) -> Facts:
        """All there is to say of a scene."""
        groups = tuple(Claim.of(group) for group in scene.groups)
        return cls(groups, scene.relation, scene.place, scene.backdrop, scene.time)


def encode_facts(facts: Sequence[Facts]) -> NDArray[np.int16]:
    """Facts as int16 [n, 9], with ANY where nothing is said."""
    rows = []
    for fact in facts:
        row: list[int] = []
        for claim in (*fact.groups, *(Claim(None, None, None),) * (2 - len(fact.groups))):
            row += [
                ANY if claim.kind is None else _KIND[claim.kind],
                ANY if claim.colour is None else _COLOUR[claim.colour],
                ANY if claim.count is None else claim.count,
            ]
        row.append(ANY if fact.relation is None else _RELATION[fact.relation])
        row.append(ANY if fact.place is None else _place(fact.place, fact.backdrop))
        row.append(ANY if fact.time is None else _TIME[fact.time])
        rows.append(row)
    return np.array(rows, dtype=np.int16).reshape(-1, _COLUMNS)


def encode_scenes(scenes: Sequence[Scene]) -> NDArray[np.int16]:
    """Scenes as int16 [n, 2, 9]: seen from the first group and from the second."""
    rows = []
    for scene in scenes:
        where = [_place(scene.place, scene.backdrop), NONE if scene.time is None else _TIME[scene.time]]
        first = _group(scene.groups[0])
        second = _group(scene.groups[1]) if len(scene.groups) == 2 else [NONE] * 3
        seen = scene.relation
        relations = (NONE, NONE) if seen is None else (_RELATION[seen], _RELATION[OPPOSITE[seen]])
        rows.append([[*first, *second, relations[0], *where], [*second, *first, relations[1], *where]])
    return np.array(rows, dtype=np.int16).reshape(-1, 2, _COLUMNS)


def fits(facts: NDArray[np.int16], scenes: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which captions are true of which scenes: [n, 9] and [m, 2, 9] -> [n, m]."""
    said = facts[:, None, None, :]
    agreed: NDArray[np.bool_] = ((said == ANY) | (said == scenes[None])).all(axis=-1).any(axis=-1)
    return agreed


def _group(group: Group) -> list[int]:
    return [_KIND[group.kind], _COLOUR[group.colour], group.count]


def _place(place: str, backdrop: str | None) -> int:
    return _PLACE[place if backdrop is None else f"{place} {backdrop}"]
