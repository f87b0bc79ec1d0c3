"""What a library gives: photos, faces, people, hits, and what an index run did; all of them values."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Photo:
    """`id` stays the same when the file is moved. `size`: width and height of the upright photo, in pixels. `taken`: local time,
    the camera's or, without one, the file's, YYYY-MM-DDTHH:MM:SS."""

    id: int
    path: Path
    size: tuple[int, int]
    taken: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A photo that was found, and its cosine with what was looked for."""

    photo: Photo
    score: float


@dataclass(frozen=True, slots=True)
class KnownFace:
    """A face of a photo: box in pixels of the upright photo, the detector's score, and the id of its person, if it has one."""

    id: int
    photo: Photo
    box: Box
    score: float
    person: int | None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody met on photos. `id` stays the same when photos are added; `name` is the user's, None without one."""

    id: int
    name: str | None
    faces: int
    photos: int

    @property
    def label(self) -> str:
        return self.name or f"person {self.id}"


@dataclass(frozen=True, slots=True)
class Progress:
    """Of an index run: photos done of those to do, and how many of them failed."""

    done: int
    total: int
    failed: int


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a run did. `failed`: paths and why, of this run; `known_bad`: how many earlier failures were not tried again; `left`: how many
    photos are still to do, because it was stopped."""

    added: int = 0
    changed: int = 0
    moved: int = 0
    copied: int = 0
    removed: int = 0
    unchanged: int = 0
    known_bad: int = 0
    failed: tuple[tuple[str, str], ...] = ()
    unread: tuple[str, ...] = ()
    new_people: int = 0
    left: int = 0

    def with_people(self, new: int) -> Self:
        return replace(self, new_people=new)
