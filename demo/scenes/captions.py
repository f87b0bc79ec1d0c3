"""Captions: a scene and a source of chance give a sentence and the facts that it states."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from demo.scenes.facts import Claim, Facts
from demo.scenes.objects import KINDS
from demo.scenes.places import PLACES
from demo.scenes.scene import OPPOSITE, STUDIO, Group, Relation, Scene

_NUMBERS = {2: ("two", "2", "a pair of"), 3: ("three", "3"), 4: ("four", "4")}
_RELATIONS: dict[Relation, tuple[str, ...]] = {
    "left": ("to the left of", "left of", "on the left of"),
    "right": ("to the right of", "right of", "on the right of"),
    "above": ("above", "over", "high above"),
    "below": ("below", "under", "beneath"),
}
_TIMES = {
    "day": ("by day", "in daylight", "during the day"),
    "sunset": ("at sunset", "in the evening sun", "at dusk"),
    "night": ("at night", "by night", "under the moon"),
}
_OPENINGS = ("", "", "", "a picture of ", "a photo of ", "a drawing of ", "an image of ")


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence and what it states."""

    text: str
    facts: Facts


def caption(scene: Scene, rng: Random | None = None) -> str:
    """A sentence that says all of the scene, in one of several phrasings; without `rng`, always the same for a scene."""
    return describe(scene, rng or Random(f"caption {scene.seed}")).text


def describe(scene: Scene, rng: Random, *, silence: float = 0.0) -> Caption:
    """A sentence on the scene; each fact is left out with about the probability `silence`."""
    groups = [0, 1] if len(scene.groups) == 2 else [0]
    if len(groups) == 2 and rng.random() < silence:
        groups = [rng.randrange(2)]
    if len(groups) == 2 and rng.random() < 0.5:
        groups.reverse()
    told = [_group(scene.groups[at], rng, silence) for at in groups]
    texts, claims = [text for text, _ in told], tuple(claim for _, claim in told)
    relation = None
    if len(groups) == 2:
        seen: Relation = scene.relation or "left"
        relation = seen if groups[0] == 0 else OPPOSITE[seen]
        body, relation = _related(texts, relation, rng, silence)
    else:
        body = texts[0]
    where, place, backdrop = _place(scene, rng, silence)
    when, time = _time(scene, rng, silence)
    return Caption(_sentence(body, where, when, rng), Facts(claims, relation, place, backdrop, time))


def _sentence(body: str, where: str, when: str, rng: Random) -> str:
    style = rng.random()
    if where and style < 0.12:
        text = f"{where}: {body} {when}"
    elif when and style < 0.2:
        text = f"{when}, {body} {where}"
    elif when and style < 0.28:
        text = f"{body} {when} {where}"
    else:
        text = f"{rng.choice(_OPENINGS)}{body} {where} {when}"
    return " ".join(text.split()).replace(" ,", ",")


def _group(group: Group, rng: Random, silence: float) -> tuple[str, Claim]:
    # The kind is what people name first, so it is left out least.
    kind = None if rng.random() < silence * 0.25 else group.kind
    colour = None if rng.random() < silence else group.colour
    count = None if rng.random() < silence and group.count > 1 else group.count
    return _noun(kind, colour, group.count, counted=count is not None, rng=rng), Claim(kind, colour, count)


def _noun(kind: str | None, colour: str | None, count: int, *, counted: bool, rng: Random) -> str:
    if kind is None:
        names = ("thing", "things")
    else:
        known = KINDS[kind]
        names = known.also if known.also is not None and rng.random() < 0.2 else (known.name, known.plural)
    noun = names[count > 1] if colour is None else f"{colour} {names[count > 1]}"
    if count > 1:
        return f"{rng.choice(_NUMBERS[count])} {noun}" if counted else noun
    article = "an" if noun[0] in "aeiou" else "a"
    return f"{rng.choice((article, article, article, 'one'))} {noun}"


def _related(texts: list[str], relation: Relation, rng: Random, silence: float) -> tuple[str, Relation | None]:
    first, second = texts
    if rng.random() < silence:
        return f"{first} {rng.choice(('and', 'with'))} {second}", None
    if rng.random() < 0.18 and relation in ("left", "right"):
        return f"{first} on the {relation} and {second} on the {OPPOSITE[relation]}", relation
    return f"{first} {rng.choice(_RELATIONS[relation])} {second}", relation


def _place(scene: Scene, rng: Random, silence: float) -> tuple[str, str | None, str | None]:
    if rng.random() < silence:
        return "", None, None
    if scene.place == STUDIO:
        article = "an" if (scene.backdrop or "")[0] in "aeiou" else "a"
        texts = (
            f"on {article} {scene.backdrop} background",
            f"in front of {article} {scene.backdrop} wall",
            f"against {article} {scene.backdrop} background",
        )
        return rng.choice(texts), scene.place, scene.backdrop
    return rng.choice(PLACES[scene.place].phrases), scene.place, None


def _time(scene: Scene, rng: Random, silence: float) -> tuple[str, str | None]:
    if scene.time is None or rng.random() < silence:
        return "", None
    # Daylight goes without saying, most often.
    if scene.time == "day" and rng.random() < 0.6:
        return "", None
    return rng.choice(_TIMES[scene.time]), scene.time
