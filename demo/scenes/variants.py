"""Scenes that differ from a given one in a single attribute: hard negatives in training, wrong answers in evaluation."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Literal, get_args

from demo.scenes.colour import COLOURS
from demo.scenes.objects import KINDS
from demo.scenes.places import PLACES
from demo.scenes.sample import kinds_of, relations_of
from demo.scenes.scene import COUNTS, STUDIO, Group, Scene

Attribute = Literal["colour", "count", "kind", "relation", "place", "time"]
ATTRIBUTES: tuple[Attribute, ...] = get_args(Attribute)


def variants(scene: Scene, attribute: Attribute, at: int = 0) -> list[Scene]:
    """All scenes that have another value of the attribute (for colour, count and kind: in group `at`), same seed."""
    group = scene.groups[at]
    match attribute:
        case "colour":
            names = [name for name in KINDS[group.kind].colours if name not in {group.colour, scene.backdrop}]
            return _regrouped(scene, at, [replace(group, colour=name) for name in names])
        case "count":
            highest = COUNTS[-1] if len(scene.groups) == 1 else 3
            return _regrouped(scene, at, [replace(group, count=n) for n in COUNTS if n != group.count and n <= highest])
        case "kind":
            return _regrouped(scene, at, [replace(group, kind=name) for name in _alike(scene.place, group)])
        case "relation":
            return _moved(scene)
        case "place":
            return _elsewhere(scene)
        case "time":
            times = PLACES[scene.place].times if scene.place != STUDIO else ()
            return [replace(scene, time=time) for time in times if time != scene.time]


def change(scene: Scene, attributes: list[Attribute], rng: Random) -> Scene:
    """One variant in the first of the attributes that has any; counts change by one, because that is hardest to see."""
    for attribute in attributes:
        at = rng.randrange(len(scene.groups))
        found = variants(scene, attribute, at)
        if attribute == "count":
            found = [other for other in found if abs(other.groups[at].count - scene.groups[at].count) == 1]
        if found:
            return rng.choice(found)
    raise ValueError(f"no variant of {scene} in {attributes}")


def _alike(place: str, group: Group) -> list[str]:
    """Kinds that could take the group's place."""
    habitat = KINDS[group.kind].habitat
    kinds = [k for k in kinds_of(place) if k.habitat == habitat and group.colour in k.colours]
    return [k.name for k in kinds if k.name != group.kind]


def _regrouped(scene: Scene, at: int, groups: list[Group]) -> list[Scene]:
    scenes = (tuple(group if i == at else other for i, other in enumerate(scene.groups)) for group in groups)
    # Two groups of one kind and colour would be one group.
    return [replace(scene, groups=new) for new in scenes if len({(g.kind, g.colour) for g in new}) == len(new)]


def _moved(scene: Scene) -> list[Scene]:
    if scene.relation is None:
        return []
    kinds = (KINDS[scene.groups[0].kind], KINDS[scene.groups[1].kind])
    possible = [relation for relation, pairs in relations_of(scene.place).items() if kinds in pairs]
    return [replace(scene, relation=relation) for relation in possible if relation != scene.relation]


def _elsewhere(scene: Scene) -> list[Scene]:
    if scene.backdrop is not None:
        used = {scene.backdrop, "brown", *(group.colour for group in scene.groups)}
        return [replace(scene, backdrop=name) for name in COLOURS if name not in used]
    kinds = tuple(KINDS[group.kind] for group in scene.groups)
    found = []
    for place in PLACES.values():
        if place.name == scene.place or any(kind not in kinds_of(place.name) for kind in kinds):
            continue
        if scene.relation is not None and kinds not in relations_of(place.name).get(scene.relation, []):
            continue
        # The time stays; a place that does not know it is no single change.
        if (scene.time in place.times) if place.times else (scene.time is None):
            found.append(replace(scene, place=place.name))
    return found
