"""From a seed to a scene: what may be where, and what may stand beside what."""

from __future__ import annotations

from random import Random

from demo.scenes.colour import COLOURS
from demo.scenes.objects import KINDS, Kind
from demo.scenes.places import PLACES
from demo.scenes.scene import RELATIONS, STUDIO, Group, Relation, Scene

# Seeds of pictures for different ends; the ranges do not meet, so no end sees another's pictures.
TRAINING_SEEDS = range(100_000)
EVALUATION_SEEDS = range(1_000_000, 1_100_000)
ALBUM_SEEDS = range(2_000_000, 2_100_000)


def sample(seed: int) -> Scene:
    """The scene of a seed: always the same one."""
    rng = Random(f"scene {seed}")
    place, time, backdrop = _where(rng)
    if rng.random() < 0.42:
        kind = rng.choice(kinds_of(place))
        group = Group(kind.name, _colour(kind, rng, backdrop), rng.choice((1, 1, 2, 3, 4)))
        return Scene((group,), None, place, time, backdrop, seed)
    pairs = relations_of(place)
    relation = rng.choice(tuple(pairs))
    first, second = rng.choice(pairs[relation])
    one = Group(first.name, _colour(first, rng, backdrop), rng.choice((1, 1, 2, 3)))
    colour = _colour(second, rng, backdrop)
    while first is second and colour == one.colour:
        colour = _colour(second, rng, backdrop)
    two = Group(second.name, colour, rng.choice((1, 1, 2, 3)))
    return Scene((one, two), relation, place, time, backdrop, seed)


def kinds_of(place: str) -> list[Kind]:
    """The kinds of object that may be in a place."""
    if place == STUDIO:
        return list(KINDS.values())
    bands = PLACES[place].bands
    fits = [k for k in KINDS.values() if k.habitat in bands and place not in k.not_in]
    # What lies on the sea's ground must not float away in the mind: nothing that is at home in the air or on wheels.
    return [k for k in fits if k.habitat == "water" or k.name in _SINKS] if place == "underwater" else fits


_SINKS = frozenset({"ball", "cube", "cup", "chair", "present", "lamp"})


def relations_of(place: str) -> dict[Relation, list[tuple[Kind, Kind]]]:
    """For every relation that a place allows, the pairs of kinds that can stand in it."""
    kinds = kinds_of(place)
    beside = [(a, b) for a in kinds for b in kinds]
    if place in {STUDIO, "sky"}:
        return dict.fromkeys(RELATIONS, beside)
    higher = [(a, b) for a in kinds for b in kinds if _height(place, a) > _height(place, b)]
    pairs: dict[Relation, list[tuple[Kind, Kind]]] = {"left": beside, "right": beside}
    if higher:
        pairs |= {"above": higher, "below": [(b, a) for a, b in higher]}
    return pairs


def _height(place: str, kind: Kind) -> int:
    """Whether a kind is in the upper (1) or the lower part (0) of a place."""
    return int(kind.habitat == "air" or (PLACES[place].floats and kind.habitat == "water"))


def _where(rng: Random) -> tuple[str, str | None, str | None]:
    if rng.random() < 0.2:
        return STUDIO, None, rng.choice([name for name in COLOURS if name != "brown"])
    place = rng.choice(tuple(PLACES.values()))
    return place.name, (rng.choice(place.times) if place.times else None), None


def _colour(kind: Kind, rng: Random, backdrop: str | None) -> str:
    return rng.choice([name for name in kind.colours if name != backdrop])
