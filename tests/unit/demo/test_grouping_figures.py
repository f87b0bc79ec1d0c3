"""How well an album is grouped: pairs by hand, the threshold of made-up albums, and the demo's networks on a few pictures."""

import numpy as np
import pytest

from demo.faces.agreement import agreement
from demo.faces.album import COUNT, FRIENDS, people_photos
from demo.faces.evaluate_grouping import Met, best_threshold, draw_photo, grouped, meet
from demo.faces.networks import DemoFaces
from demo.people import EVALUATION_PEOPLE, VALIDATION_PEOPLE


@pytest.mark.parametrize(
    ("groups", "missed", "precision", "recall", "count"),
    [
        ([[0, 1, 2], [3, 4]], [], 1.0, 1.0, 2),
        ([[0, 1], [2], [3, 4]], [], 1.0, 2 / 4, 2),
        ([[0, 1, 2, 3, 4]], [], 4 / 10, 1.0, 1),
        ([[0], [1], [2], [3], [4]], [], 1.0, 0.0, 0),
        ([[0, 1, 2], [3, 4]], [8], 1.0, 4 / 6, 2),
    ],
)
def test_pairs_are_counted(groups, missed, precision, recall, count):
    found = agreement(groups, [7, 7, 7, 8, 8], missed)
    assert (found.precision, found.recall, found.groups) == (pytest.approx(precision), pytest.approx(recall), count)


def test_a_false_alarm_belongs_to_nobody():
    assert agreement([[0, 1, 2]], [7, 7, -1]).precision == pytest.approx(1 / 3)


def test_the_threshold_lies_between_one_person_and_two():
    """Faces of one person have a cosine of 0.64, of two people 0.36."""
    rng = np.random.default_rng(3)
    directions = np.linalg.qr(rng.normal(size=(64, 64)))[0]
    who = np.repeat(np.arange(4), 5)
    rows = 0.6 * directions[50] + np.sqrt(0.28) * directions[who] + 0.6 * directions[10 + np.arange(20)]
    album = Met(rows.astype(np.float32), tuple(who.tolist()), ())
    threshold = best_threshold([album, album])
    assert 0.37 < threshold < 0.63
    assert grouped(album, threshold).f1 == pytest.approx(1)
    assert grouped(album, 0.2).precision < 0.5


def test_albums_of_other_people_are_other_pictures():
    album, other = people_photos(), people_photos(friends=VALIDATION_PEOPLE[:8], first=1000)
    assert len(other) == COUNT
    assert not {photo.group.seed for photo in album} & {photo.group.seed for photo in other}
    assert {guest.person.seed for photo in other for guest in photo.group.guests} == set(VALIDATION_PEOPLE[:8])
    assert not set(FRIENDS) & {*VALIDATION_PEOPLE, *EVALUATION_PEOPLE}


def test_the_networks_meet_the_people_who_were_drawn():
    photos = people_photos(4)
    met = meet(DemoFaces(), [draw_photo(photo) for photo in photos])
    drawn = sorted(guest.person.seed for photo in photos for guest in photo.group.guests)
    assert sorted([*(seed for seed in met.who if seed > 0), *met.missed]) == drawn
    assert len(met.missed) <= 1
    np.testing.assert_allclose(np.linalg.norm(met.embeddings, axis=1), np.ones(len(met.who)), atol=1e-5)
    assert met.right + met.false == len(met.who)
