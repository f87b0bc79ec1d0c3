"""Faces of an album become people: on a stub of the client, and in the lines and the table that come of it."""

import csv
from io import StringIO

import numpy as np
from rich.console import Console

from demo.faces.people import People, people_on, people_table, write_people
from demo.faces.sheet import FaceOnPhoto
from triptych import InvalidInput
from triptych.face import Face
from triptych.results import Found


class Album:
    """A client for which each picture's faces are given; None is a picture that cannot be read."""

    def __init__(self, pictures):
        self.pictures = pictures

    def faces_in_images(self, images, *, concurrency, on_error):
        for image in images:
            if self.pictures[image] is None:
                on_error(image, InvalidInput("no picture"))
            else:
                yield Found(image, self.pictures[image])


def face(person, x=0.0):
    """Someone whose embedding is near that of nobody else."""
    embedding = np.eye(8, dtype=np.float32)[person] + np.float32(0.05)
    return Face((x, 10.0, x + 20.0, 40.0), np.zeros((5, 2)), 0.9, embedding / np.linalg.norm(embedding))


def test_faces_alike_are_one_person_and_unreadable_pictures_are_left_out(tmp_path):
    a, b, c, broken = (tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg", "broken.jpg"))
    client = Album({a: [face(0), face(1, x=50.0)], broken: None, b: [face(1)], c: [face(1), face(0, x=70.0), face(2)]})
    done = []
    people = people_on(client, [a, broken, b, c], lambda: done.append(1))
    assert [[(seen.path.name, seen.box[0]) for seen in faces] for faces in people.known] == [
        [("a.jpg", 50.0), ("b.jpg", 0.0), ("c.jpg", 0.0)],
        [("a.jpg", 0.0), ("c.jpg", 70.0)],
    ]
    assert people.strangers == (FaceOnPhoto(c, (0.0, 10.0, 20.0, 40.0)),)
    assert (people.faces, len(done)) == (6, 4)


def test_an_album_without_faces_has_no_people(tmp_path):
    people = people_on(Album({tmp_path: []}), [tmp_path], lambda: None)
    assert people == People((), ())
    assert people.faces == 0


def test_the_table_counts_photos_and_faces_of_the_first_people(tmp_path):
    twice, once = FaceOnPhoto(tmp_path / "a.jpg", (0.0, 0.0, 9.0, 9.0)), FaceOnPhoto(tmp_path / "b.jpg", (0.0, 0.0, 9.0, 9.0))
    people = People(((twice, twice, once), (once, twice), (once, once)), ())
    written = StringIO()
    Console(file=written, width=60).print(people_table(people, 2))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in written.getvalue().splitlines() if "Person" in line]
    assert rows == [["Person 1", "2", "3"], ["Person 2", "2", "2"]]


def test_every_face_is_a_line_of_csv(tmp_path):
    one, other = FaceOnPhoto(tmp_path / "a, b.jpg", (1.25, 2.0, 3.0, 4.0)), FaceOnPhoto(tmp_path / "ü.jpg", (5.0, 6.0, 7.0, 8.0))
    write_people(People(((one, other),), (other,)), tmp_path / "people.csv")
    with (tmp_path / "people.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["person"] for row in rows] == ["1", "1", ""]
    assert [row["picture"] for row in rows] == [str(one.path), str(other.path), str(other.path)]
    assert [float(rows[0][edge]) for edge in ("x1", "y1", "x2", "y2")] == [1.2, 2.0, 3.0, 4.0]
