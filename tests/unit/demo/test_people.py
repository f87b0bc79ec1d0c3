"""Drawn people: the same from a seed each time, alike across looks, with faces where the drawing says they are."""

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from demo.people import EVALUATION_PEOPLE, TRAINING_PEOPLE, VALIDATION_PEOPLE, Group, Look, Person, draw_group, draw_person, sample_group
from demo.people.group import MOST
from demo.people.light import Light
from demo.people.person import ALBUM_PEOPLE, HAIR

SIZE = (320, 240)
SEEDS = range(40)


def portrait(person, look):
    image = Image.new("RGB", (200, 200), (120, 200, 240))
    face = draw_person(ImageDraw.Draw(image, "RGBA"), person, look, 100, 95, 110)
    return np.asarray(image, dtype=int), face


def groups():
    return [sample_group(seed, TRAINING_PEOPLE, SIZE) for seed in SEEDS]


def test_a_seed_gives_the_same_person_and_picture_each_time():
    assert Person.of(3) == Person.of(3) != Person.of(4)
    for seed in range(4):
        group = sample_group(seed, TRAINING_PEOPLE, SIZE)
        assert group == sample_group(seed, TRAINING_PEOPLE, SIZE)
        (image, faces), (again, faces_again) = draw_group(group, SIZE), draw_group(group, SIZE)
        np.testing.assert_array_equal(np.asarray(image), np.asarray(again))
        for one, other in zip(faces, faces_again, strict=True):
            np.testing.assert_array_equal(one.box, other.box)


def test_the_people_of_training_validation_evaluation_and_album_are_disjoint():
    ends = sorted((seeds.start, seeds.stop) for seeds in (TRAINING_PEOPLE, VALIDATION_PEOPLE, EVALUATION_PEOPLE, ALBUM_PEOPLE))
    assert all(stop <= start for (_, stop), (start, _) in pairwise(ends))


def test_all_kinds_of_hair_occur_and_people_differ():
    people = [Person.of(seed) for seed in range(400)]
    assert {person.hair for person in people} == set(HAIR)
    assert len({(p.skin, p.hair, p.hair_colour, p.glasses) for p in people}) == len(people)


def test_pictures_of_two_people_differ_more_than_two_of_one():
    """In the same pose and light: only who it is changes the face."""
    look = Look()
    one, _ = portrait(Person.of(1), look)
    assert np.array_equal(one, portrait(Person.of(1), look)[0])
    assert np.abs(one - portrait(Person.of(2), look)[0]).mean() > 5
    assert np.abs(one - portrait(Person.of(1), Look(yaw=0.4, roll=0.2))[0]).mean() > 5


def test_the_box_holds_the_landmarks_in_their_order_and_the_skin():
    for seed in range(60):
        person, look = Person.of(seed), Look.of(Random(seed))
        pixels, face = portrait(person, look)
        x1, y1, x2, y2 = face.box
        points = face.landmarks
        assert (points[:, 0] > x1).all() and (points[:, 0] < x2 + 4).all()
        assert (points[:, 1] > y1).all() and (points[:, 1] < y2).all()
        # Eyes and mouth corners: the left one first; seen upright the mouth is below the eyes and the nose between.
        turn = np.array([[np.cos(look.roll), np.sin(look.roll)], [-np.sin(look.roll), np.cos(look.roll)]])
        upright = (points - points.mean(axis=0)) @ turn.T
        assert upright[0, 0] < upright[1, 0] and upright[3, 0] < upright[4, 0]
        assert upright[:2, 1].max() < upright[2, 1] < upright[3:, 1].min()
        background = (np.abs(pixels[round(y1) : round(y2), round(x1) : round(x2)] - (120, 200, 240)).sum(axis=2) < 8).mean()
        assert background < 0.35


def test_a_turned_head_moves_the_nose_against_the_eyes_and_rolls_turn_the_eyes():
    def offset(yaw):
        points = portrait(Person.of(1), Look(yaw=yaw))[1].landmarks
        return points[2, 0] - points[:2, 0].mean()

    assert offset(-0.4) < offset(0) - 2 < offset(0) < offset(0.4) - 2
    left, right = portrait(Person.of(1), Look(roll=0.3))[1].landmarks[:2]
    assert np.arctan2(right[1] - left[1], right[0] - left[0]) == pytest.approx(0.3, abs=0.02)


def test_groups_have_none_to_six_people_of_many_sizes_whose_faces_are_free_and_inside_the_picture():
    counts, sizes = set(), []
    for group in groups():
        image, faces = draw_group(group, SIZE, supersampling=1)
        assert image.size == SIZE
        counts.add(len(faces))
        assert len({face.person for face in faces}) == len(faces) == len(group.guests)
        for face in faces:
            sizes.append(face.size)
            assert (face.box[:2] >= 0).all() and (face.box[2:] <= SIZE).all()
        for at, face in enumerate(faces):
            for nearer in faces[at + 1 :]:
                shared = np.minimum(face.box[2:], nearer.box[2:]) - np.maximum(face.box[:2], nearer.box[:2])
                assert shared.clip(min=0).prod() < 0.25 * face.size**2
    assert counts >= {0, 1, 2, 3}
    assert min(sizes) < 16 and max(sizes) > 110


def test_guests_are_those_asked_for():
    group = sample_group(1, [5, 6, 7], SIZE, count=2)
    assert {guest.person.seed for guest in group.guests} <= {5, 6, 7}
    with pytest.raises(ValueError):
        sample_group(1, [5], SIZE, count=2)


def test_what_cannot_be_is_refused():
    guest = sample_group(1, [5], SIZE, count=1).guests[0]
    with pytest.raises(ValueError, match="6 at most"):
        Group((guest,) * (MOST + 1), "beach", "day", (), Light(), 1)
    with pytest.raises(ValueError, match="underwater"):
        Group((guest,), "underwater", None, (), Light(), 1)
