"""The album's pictures of people: thirty of them, with friends who are met again and again, drawn into a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from demo.drawing import drawn_into
from demo.people import Group, draw_group, sample_group
from demo.people.person import ALBUM_PEOPLE

FOLDER = Path(__file__).resolve().parents[1] / "out" / "people"
COUNT = 30
FRIENDS = ALBUM_PEOPLE[:8]
_SIZES = ((640, 480), (480, 640), (720, 480), (600, 600), (800, 533))
_SUFFIXES = (".jpg", ".jpg", ".jpg", ".png", ".webp")
_LEAST = 0.07  # a head's height as a share of the longer side: people whom one photographs, not passers-by


@dataclass(frozen=True, slots=True)
class PeoplePhoto:
    """One picture: who is on it and how its file is made."""

    name: str
    group: Group
    size: tuple[int, int]


def people_photos(count: int = COUNT, friends: Sequence[int] = FRIENDS, first: int = 0) -> list[PeoplePhoto]:
    """Always the same ones; other `friends` (seeds of people) and a `first` of at least COUNT more give another album of this kind."""
    rng = Random(f"people of the album {first}" if first else "people of the album")
    album = []
    for at in range(count):
        size = rng.choice(_SIZES)
        group = sample_group(first + at, friends, size, count=rng.choice((1, 1, 2, 2, 3, 4)), least=_LEAST, kind="album")
        album.append(PeoplePhoto(f"people-{at + 1:02}{rng.choice(_SUFFIXES)}", group, size))
    return album


def draw_people_album(folder: Path = FOLDER, *, count: int = COUNT, processes: int | None = None) -> Iterator[Path]:
    """Draw the pictures into `folder` (what other files it held are removed), path by path as they are written."""
    return drawn_into(folder, people_photos(count), _write, processes)


def _write(photo: PeoplePhoto, folder: Path) -> Path:
    path = folder / photo.name
    draw_group(photo.group, photo.size)[0].save(path, quality=90)
    return path
