"""What the two networks learn from: pictures with faces in letterboxes, and aligned faces of many people; drawn once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from demo.faces.networks import crop
from demo.people import TRAINING_PEOPLE, DrawnFace, Group, Guest, Look, Person, draw_group, sample_group
from demo.people.group import LEAST, MOST, PLACES_WITH_PEOPLE
from demo.people.light import Light
from demo.scenes import TRAINING_SEEDS, draw, sample

SIDE, LARGE_SIDE, CROP = 320, 640, 112
LOOKS = 14  # of one person
_EMPTY = 0.12  # share of pictures that show a scene without people, animals and all
_CHUNK = 24
_JITTER = 0.06  # of the distance between the eyes: landmarks will be found, not given

U8 = NDArray[np.uint8]
Drawn = tuple[U8, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Drawings:
    """Pictures uint8 [n, side, side, 3] and, beside each, its labels f32: faces [n, 6, 14] (box and landmarks, NaN where there is
    none), or the person's number [n].
    """

    pixels: U8
    labels: NDArray[np.float32]


def small_scenes(count: int, cache: Path, processes: int) -> Iterator[Drawings | int]:
    """Letterboxes of 320 pixels at the scale of the detector's 640: faces of 16 to 250 pixels."""
    return _kept(f"small-{count}", count, _small, (SIDE, SIDE, 3), (MOST, 14), cache, processes)


def large_scenes(count: int, cache: Path, processes: int) -> Iterator[Drawings | int]:
    """Letterboxes of 640 pixels: faces of 16 to 500 pixels, most of them large."""
    return _kept(f"large-{count}", count, _large, (LARGE_SIDE, LARGE_SIDE, 3), (MOST, 14), cache, processes)


def aligned_faces(people: int, cache: Path, processes: int) -> Iterator[Drawings | int]:
    """Aligned faces [people x LOOKS, 112, 112, 3], those of one person one after another."""
    return _kept(f"aligned-{people}", people * LOOKS, _aligned, (CROP, CROP, 3), (), cache, processes)


def _small(at: int) -> Drawn:
    return _scene(at, SIDE, 2 * LEAST)


def _large(at: int) -> Drawn:
    # Faces too large for the small pictures are what the large ones are for.
    return _scene(1_000_000 + at, LARGE_SIDE, 0.25 if at % 3 else LEAST)


def _scene(at: int, side: int, least: float) -> Drawn:
    rng = Random(f"letterbox {at}")
    short = round(side * rng.choice((1, 0.75, 0.75, 0.667, 0.5625)))
    size = (side, short) if rng.random() < 0.6 else (short, side)
    if rng.random() < _EMPTY:
        image, faces = draw(sample(TRAINING_SEEDS[at % len(TRAINING_SEEDS)]), size, supersampling=2), list[DrawnFace]()
    else:
        count = rng.choice((1, 1, 2)) if least > 0.1 else None
        image, faces = draw_group(sample_group(at, TRAINING_PEOPLE, size, count=count, least=least), size)
    square, labels = np.zeros((side, side, 3), np.uint8), np.full((MOST, 14), np.nan, np.float32)
    square[: size[1], : size[0]] = np.asarray(image)
    for row, face in zip(labels, faces, strict=False):
        row[:] = np.concatenate([face.box, face.landmarks.ravel()])
    return square, labels


def _aligned(at: int) -> Drawn:
    number, look = divmod(at, LOOKS)
    person = Person.of(TRAINING_PEOPLE[number])
    return portrait(person, Random(f"aligned {number} {look}")), np.asarray(number, np.float32)


def portrait(person: Person, rng: Random) -> U8:
    """One person somewhere, cut out and aligned as a detector's landmarks would have it: uint8 [112, 112, 3]."""
    side = round(36 * 9 ** rng.random())
    place = rng.choice((*PLACES_WITH_PEOPLE, *["studio"] * 8))
    time = rng.choice(("day", "day", "sunset", "night")) if place not in ("studio", "room") else None
    guest = Guest(person, Look.of(rng), 0.5, 0.5, rng.uniform(0.5, 0.6))
    image, (face,) = draw_group(Group((guest,), place, time, (), Light.of(rng), rng.getrandbits(32)), (side, side))
    reach = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0])) * _JITTER
    found = face.landmarks + np.random.default_rng(rng.getrandbits(32)).normal(0, reach, (5, 2))
    cut: U8 = crop(image, found[None].astype(np.float32))[0]
    return cut


def _kept(
    name: str,
    count: int,
    one: Callable[[int], Drawn],
    pixels: tuple[int, ...],
    labels: tuple[int, ...],
    cache: Path,
    processes: int,
) -> Iterator[Drawings | int]:
    """Yields how many have been drawn so far, then the drawings; drawn ones are taken from the cache."""
    folder = cache / f"{name}-{_fingerprint()}"
    files = [folder / "pixels.npy", folder / "labels.npy"]
    if not folder.exists():
        unfinished = folder.with_suffix(".part")
        unfinished.mkdir(parents=True, exist_ok=True)
        drawn = Drawings(np.empty((count, *pixels), np.uint8), np.empty((count, *labels), np.float32))
        with ProcessPoolExecutor(processes) as pool:
            for at, (picture, label) in enumerate(pool.map(one, range(count), chunksize=_CHUNK)):
                drawn.pixels[at], drawn.labels[at] = picture, label
                yield at + 1
        np.save(unfinished / "pixels.npy", drawn.pixels)
        np.save(unfinished / "labels.npy", drawn.labels)
        unfinished.replace(folder)
    yield Drawings(*(np.load(file, mmap_mode="r") for file in files))


def _fingerprint() -> str:
    """Changes whenever the code that draws does."""
    here = Path(__file__).resolve()
    sources = [here, *sorted((here.parents[1] / "people").glob("*.py")), *sorted((here.parents[1] / "scenes").rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
