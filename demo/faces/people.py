"""Who is on an album: pictures go to `faces`, and the embeddings that come back are grouped into people."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from demo.faces.grouping import group_faces
from demo.faces.sheet import FaceOnPhoto
from triptych import Client, TriptychError

_CONCURRENCY = 8


@dataclass(frozen=True, slots=True)
class People:
    """The faces of each person who was met more than once, the one met most often first; and the faces that are like no other."""

    known: tuple[tuple[FaceOnPhoto, ...], ...]
    strangers: tuple[FaceOnPhoto, ...]

    @property
    def faces(self) -> int:
        """How many were found."""
        return sum(map(len, self.known)) + len(self.strangers)


def people_on(client: Client, paths: Sequence[Path], done: Callable[[], None]) -> People:
    """Find and group the faces; unreadable pictures are left out. `done` is called for each picture."""
    embeddings, faces = [], []

    def skip(_: Path, __: TriptychError) -> None:
        done()

    for path, found in client.faces_in_images(paths, concurrency=_CONCURRENCY, on_error=skip):
        done()
        for face in found:
            faces.append(FaceOnPhoto(path, face.box))
            embeddings.append(face.embedding)
    groups = [tuple(faces[row] for row in group) for group in (group_faces(np.stack(embeddings)) if faces else [])]
    return People(tuple(group for group in groups if len(group) > 1), tuple(group[0] for group in groups if len(group) == 1))


def people_table(people: People, most: int) -> Table:
    """Each person with the number of photos and of faces; the first `most`."""
    table = Table("person", "photos", "faces", title="People")
    for number, faces in enumerate(people.known[:most], start=1):
        table.add_row(f"Person {number}", str(len({face.path for face in faces})), str(len(faces)))
    return table


def write_people(people: People, file: Path) -> None:
    """Every face as a line of CSV: the person's number (empty for those like no other), the picture, the box in its pixels."""
    with file.open("w", newline="", encoding="utf-8") as target:
        lines = csv.writer(target)
        lines.writerow(("person", "picture", "x1", "y1", "x2", "y2"))
        for number, faces in (*enumerate(people.known, start=1), ("", people.strangers)):
            lines.writerows((number, face.path, *(round(edge, 1) for edge in face.box)) for face in faces)
