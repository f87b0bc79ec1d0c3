"""Scenes and their pictures follow from their seeds alone, and hold what they promise."""

from itertools import pairwise
from random import Random

import numpy as np
import pytest

from demo.scenes import ALBUM_SEEDS, EVALUATION_SEEDS, TRAINING_SEEDS, Group, Scene, draw, sample, variants
from demo.scenes.layout import arrange
from demo.scenes.objects import KINDS
from demo.scenes.places import PLACES
from demo.scenes.scene import STUDIO
from demo.scenes.variants import ATTRIBUTES, change

SEEDS = range(300)
SKY = {"place": "sky", "time": "day", "backdrop": None, "seed": 1}


def pixels(scene, size=(96, 72)):
    return np.asarray(draw(scene, size, supersampling=1), dtype=np.int16)


def test_a_seed_gives_the_same_scene_and_picture_each_time():
    for seed in range(8):
        assert sample(seed) == sample(seed)
        np.testing.assert_array_equal(pixels(sample(seed)), pixels(sample(seed)))


def test_different_seeds_give_different_scenes():
    assert len({(s.groups, s.relation, s.place, s.time, s.backdrop) for s in map(sample, SEEDS)}) > 0.95 * len(SEEDS)


def test_the_seeds_of_training_evaluation_and_album_are_disjoint():
    ranges = [TRAINING_SEEDS, EVALUATION_SEEDS, ALBUM_SEEDS]
    ends = sorted((r.start, r.stop) for r in ranges)
    assert all(stop <= start for (_, stop), (start, _) in pairwise(ends))


def test_every_kind_and_place_occurs():
    scenes = [sample(seed) for seed in range(3000)]
    assert {group.kind for scene in scenes for group in scene.groups} == set(KINDS)
    assert {scene.place for scene in scenes} == {*PLACES, STUDIO}


@pytest.mark.parametrize("size", [(96, 72), (72, 96), (160, 60), (80, 80)])
def test_a_picture_has_the_size_asked_for_and_shows_something(size):
    image = draw(sample(5), size, supersampling=1)
    assert image.size == size
    assert image.mode == "RGB"
    assert np.asarray(image).std() > 10


def test_as_many_objects_are_placed_as_the_scene_has_all_of_them_inside_the_central_square():
    for seed in SEEDS:
        scene = sample(seed)
        placed = arrange(scene, Random(seed))
        found = sorted((p.kind.name, p.colour) for p in placed)
        assert found == sorted((g.kind, g.colour) for g in scene.groups for _ in range(g.count))
        for p in placed:
            wide = p.size * p.kind.shape[0] / 2
            assert -0.01 <= p.u - wide <= p.u + wide <= 1.01
            # A drawing stands on its unit box's lower edge.
            assert p.v + p.size / 2 <= 1.08
            assert p.v + p.size / 2 - p.size * p.kind.shape[1] >= -0.08


def test_groups_stand_as_their_relation_says():
    seen = set()
    for seed in SEEDS:
        scene = sample(seed)
        if scene.relation is None:
            continue
        placed = arrange(scene, Random(seed))
        one, two = (np.mean([(p.u, p.v) for p in placed if (p.kind.name, p.colour) == (g.kind, g.colour)], axis=0) for g in scene.groups)
        right, down = one - two
        assert {"left": right < 0, "right": right > 0, "above": down < 0, "below": down > 0}[scene.relation]
        seen.add(scene.relation)
    assert seen == {"left", "right", "above", "below"}


def test_an_object_of_the_asked_colour_is_in_the_picture():
    for colour, rgb in {"red": (214, 46, 48), "blue": (48, 116, 214), "yellow": (249, 210, 58)}.items():
        near = np.abs(pixels(Scene((Group("balloon", colour, 2),), None, **SKY)) - rgb).sum(axis=2) < 90
        none = np.abs(pixels(Scene((Group("balloon", "black", 2),), None, **SKY)) - rgb).sum(axis=2) < 90
        assert near.mean() > none.mean() + 0.02


def test_time_of_day_changes_the_light():
    day, night = (Scene((Group("cat", "red", 1),), None, "beach", time, None, 3) for time in ("day", "night"))
    assert pixels(day).mean() > pixels(night).mean() + 40


def test_variants_differ_in_the_one_attribute_only():
    for seed in range(60):
        scene = sample(seed)
        for attribute in ATTRIBUTES:
            for other in variants(scene, attribute):
                parts = {
                    "colour": [g.colour for g in scene.groups] != [g.colour for g in other.groups],
                    "count": [g.count for g in scene.groups] != [g.count for g in other.groups],
                    "kind": [g.kind for g in scene.groups] != [g.kind for g in other.groups],
                    "relation": scene.relation != other.relation,
                    "place": (scene.place, scene.backdrop) != (other.place, other.backdrop),
                    "time": scene.time != other.time,
                }
                assert [name for name, changed in parts.items() if changed] == [attribute]


def test_a_change_of_count_is_a_change_by_one():
    for seed in range(60):
        scene, other = sample(seed), change(sample(seed), ["count"], Random(seed))
        assert abs(sum(g.count for g in scene.groups) - sum(g.count for g in other.groups)) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Group("dragon", "red", 1), "no such kind"),
        (lambda: Group("boat", "white", 1), "cannot be"),
        (lambda: Group("cat", "red", 5), "5 objects"),
        (lambda: Scene((), None, **SKY), "one or two groups"),
        (lambda: Scene((Group("star", "red", 1),), "left", **SKY), "relation"),
        (lambda: Scene((Group("star", "red", 1),), None, **(SKY | {"place": "moon"})), "no such place"),
        (lambda: Scene((Group("star", "red", 1),), None, **(SKY | {"time": "noon"})), "noon"),
        (lambda: Scene((Group("star", "red", 1),), None, "room", "night", None, 1), "night"),
        (lambda: Scene((Group("star", "red", 1),), None, STUDIO, None, None, 1), "backdrop"),
        (lambda: Scene((Group("star", "red", 1),), None, "sky", "day", "red", 1), "backdrop"),
        (lambda: draw(sample(1), (16, 400)), "too small"),
    ],
)
def test_what_cannot_be_is_refused_at_once(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong()
