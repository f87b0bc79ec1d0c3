"""Captions say what the scene shows, and their facts say which other scenes they fit."""

import re
from random import Random

import pytest

from demo.scenes import Group, Scene, caption, describe, sample, variants
from demo.scenes.captions import Caption
from demo.scenes.facts import Claim, Facts, encode_facts, encode_scenes, fits
from demo.scenes.objects import KINDS
from demo.scenes.places import PLACES
from demo.scenes.variants import ATTRIBUTES

NUMBERS = {1: r"\b(a|an|one)\b", 2: r"\b(two|2|pair)\b", 3: r"\b(three|3)\b", 4: r"\b(four|4)\b"}
BOATS = Scene((Group("boat", "red", 2), Group("bird", "blue", 1)), "left", "lake", "night", None, 7)


def true_of(said: Facts | Caption, scene: Scene) -> bool:
    facts = said.facts if isinstance(said, Caption) else said
    return bool(fits(encode_facts([facts]), encode_scenes([scene]))[0, 0])


def test_a_caption_names_every_group_with_colour_and_number():
    for seed in range(200):
        scene = sample(seed)
        text = caption(scene, Random(seed))
        for group in scene.groups:
            kind = KINDS[group.kind]
            names = [kind.name, kind.plural, *(kind.also or ())]
            assert re.search(rf"{group.colour} ({'|'.join(names)})\b", text), (text, group)
            assert re.search(NUMBERS[group.count], text), (text, group)
        phrases = [f"{scene.backdrop} "] if scene.backdrop else PLACES[scene.place].phrases
        assert any(phrase in text for phrase in phrases), (text, scene)


def test_one_scene_has_many_phrasings_and_one_default():
    assert len({caption(BOATS, Random(i)) for i in range(40)}) > 20
    assert caption(BOATS) == caption(BOATS)


def test_plural_and_article_are_english():
    scene = Scene((Group("apple", "orange", 1),), None, "meadow", "day", None, 1)
    texts = [caption(scene, Random(i)) for i in range(30)]
    assert any("an orange apple" in text for text in texts)
    assert not any("a orange" in text for text in texts)
    assert "butterflies" in caption(Scene((Group("butterfly", "pink", 3),), None, "meadow", "day", None, 1), Random(1))


def test_every_caption_is_true_of_its_scene_however_much_it_leaves_out():
    for seed in range(200):
        scene = sample(seed)
        for silence in (0.0, 0.3, 0.7):
            assert true_of(describe(scene, Random(seed), silence=silence), scene)


def test_a_full_caption_is_true_of_no_variant_but_daylight_that_goes_without_saying():
    checked = 0
    for seed in range(100):
        scene = sample(seed)
        said = describe(scene, Random(seed))
        for attribute in ATTRIBUTES:
            for other in variants(scene, attribute):
                if attribute == "time" and said.facts.time is None:
                    continue
                assert not true_of(said, other), (said.text, other)
                checked += 1
    assert checked > 1000


def test_a_caption_that_is_silent_fits_every_value():
    facts = Facts((Claim("boat", None, None),), place="lake")
    assert true_of(facts, BOATS)
    assert all(true_of(facts, other) for attribute in ("colour", "count", "time") for other in variants(BOATS, attribute))
    assert not any(true_of(facts, other) for other in variants(BOATS, "place"))


@pytest.mark.parametrize(
    ("groups", "relation", "expected"),
    [
        (("boat", "bird"), "left", True),
        (("bird", "boat"), "right", True),
        (("boat", "bird"), "right", False),
        (("bird", "boat"), "left", False),
        (("boat", "bird"), "above", False),
        (("boat", "bird"), None, True),
    ],
)
def test_a_relation_reads_from_either_group(groups, relation, expected):
    assert true_of(Facts(tuple(Claim(kind, None, None) for kind in groups), relation), BOATS) is expected


def test_attributes_belong_to_their_own_group():
    swapped = Facts((Claim("boat", "blue", None), Claim("bird", "red", None)))
    assert not true_of(swapped, BOATS)
    assert not true_of(Facts((Claim("boat", "blue", None),)), BOATS)
    assert true_of(Facts((Claim("bird", "blue", 1),)), BOATS)
