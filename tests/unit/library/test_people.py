"""Who is who in a real store: people are found, keep their ids, and what a user said stays."""

from collections import defaultdict

import numpy as np
import pytest

from tests.unit.library.made import add_face, add_photo, near, unit
from triptych.library import Library, LibraryError, NotInLibrary, Only
from triptych.library.grouping import PART, People, group


@pytest.fixture
def library(tmp_path):
    with Library.open(tmp_path / "library.sqlite") as library:
        yield library


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def meet(library, rng, *people):
    """A photo with a face of each of the people (seeds); returns the ids of the faces."""
    count = library._store.value("SELECT count(*) FROM photo")
    photo = add_photo(library._store, f"/photos/{count}.jpg", unit(1000 + count, 64))
    return [add_face(library._store, photo, near(person, rng), 60 * at) for at, person in enumerate(people)]


def faces_of(library):
    return {person.id: {face.id for face in library.people.faces(person.id)} for person in library.people.all()}


def test_people_are_found_and_keep_their_ids_when_photos_are_added(library, rng):
    met = defaultdict(set)
    for people in [(1, 2), (1,), (2, 3), (1, 3), (9,)]:
        for person, face in zip(people, meet(library, rng, *people), strict=True):
            met[person].add(face)
    assert library.people.group() == 3
    before = faces_of(library)
    assert sorted(map(sorted, before.values())) == sorted(sorted(met[person]) for person in (1, 2, 3))
    assert library.people.group() == 0  # nothing is new

    for people in [(3,), (9,), (4, 4), (1,)]:  # 9 was alone until now
        for person, face in zip(people, meet(library, rng, *people), strict=True):
            met[person].add(face)
    assert library.people.group() == 2
    after = faces_of(library)
    assert all(before[person] <= after[person] for person in before)
    assert sorted(map(sorted, after.values())) == sorted(map(sorted, met.values()))


def test_names_and_merges_stay(library, rng):
    met = [meet(library, rng, *people) for people in [(1, 2), (1, 2), (3,), (3,)]]
    library.people.group()
    who = {face: person for person, faces in faces_of(library).items() for face in faces}
    one, two, three = who[met[0][0]], who[met[0][1]], who[met[2][0]]
    assert library.people.name(one, " Anna ").name == "Anna"
    with pytest.raises(LibraryError, match="is anna already"):
        library.people.name(two, "anna")
    with pytest.raises(LibraryError, match="taken for an id"):
        library.people.name(two, "12")
    merged = library.people.merge(two, ["ANNA"])
    assert (merged.id, merged.name, merged.faces) == (two, "Anna", 4)
    with pytest.raises(NotInLibrary, match="no person"):
        library.people.find(one)
    new = [*meet(library, rng, 1), *meet(library, rng, 2)]
    assert library.people.group() == 0
    assert {face.id for face in library.people.faces("anna")} >= set(new)
    assert len(library.photos(only=Only(people=["Anna"]))) == 4
    assert library.photos(only=Only(people=["Anna", three])) == []


def test_a_split_holds(library, rng):
    first = [meet(library, rng, 1)[0] for _ in range(4)]
    library.people.group()
    (person,) = library.people.all()
    moved = library.people.split(person.id, first[:2])
    meet(library, rng, 1)
    library.people.group()
    found = faces_of(library)
    assert len(found) == 2
    assert set(first[:2]) <= found[moved.id]
    assert set(first[2:]) <= found[person.id]
    with pytest.raises(LibraryError, match="one has to stay"):
        library.people.split(person.id, found[person.id])
    with pytest.raises(NotInLibrary, match="has no face"):
        library.people.split(person.id, first[:1])


def test_a_split_without_faces_finds_the_two(library, rng):
    one, two = [[meet(library, rng, seed)[0] for _ in range(count)] for seed, count in ((1, 5), (2, 3))]
    library.people.group()
    keep = library.people.merge(library.people.all()[0].id, [library.people.all()[1].id])
    moved = library.people.split(keep.id)
    assert faces_of(library) == {keep.id: set(one), moved.id: set(two)}


def test_two_without_a_name_who_turn_out_to_be_one_are_joined_and_the_older_id_stays(library, rng):
    base, other = unit(1, 64), unit(2, 64)
    other = other - base * float(base @ other)
    other /= np.linalg.norm(other)

    def look(angle):  # the same person, turned
        photo = add_photo(library._store, f"/{angle}-{rng.random()}.jpg", unit(3, 64))
        add_face(library._store, photo, (np.cos(angle) * base + np.sin(angle) * other).astype(np.float32))

    for angle in (0, 0.05, 1.3, 1.35):  # cosine 0.27: two people
        look(angle)
    assert library.people.group() == 2
    oldest = min(person.id for person in library.people.all())
    for angle in (0.6, 0.62, 0.64, 0.7, 0.72):
        look(angle)
    library.people.group()
    assert [(person.id, person.faces) for person in library.people.all()] == [(oldest, 9)]


def test_a_face_said_to_be_nobodys_stays_so_and_a_person_without_photos_goes(library, rng):
    faces = [meet(library, rng, 1)[0] for _ in range(3)]
    library.people.group()
    library.people.remove(faces[0])
    meet(library, rng, 1)
    library.people.group()
    assert faces[0] not in set().union(*faces_of(library).values())
    with library._store.writing() as connection:
        connection.execute("DELETE FROM photo")
    library.people.group()
    assert library.people.all() == []


def test_grouping_goes_beyond_a_part_and_needs_no_order(rng):
    """Faces of 60 people and 400 of nobody, over several parts, in an order of chance."""
    truth = np.concatenate([np.repeat(np.arange(60), 90), np.arange(1000, 1400)])
    rng.shuffle(truth)
    faces = np.stack([near(person, rng, dimension=512) for person in truth])
    assert len(faces) > 2 * PART
    labels = group(faces, 0, People(np.zeros((0, 512), np.float32), np.zeros(0, np.int64)))
    assert (labels[truth >= 1000] == -1).all()
    assert all(len(set(labels[truth == person])) == 1 for person in range(60))
    assert len(set(labels) - {-1}) == 60
