"""`python -m demo.faces.evaluate_grouping`: from which mean cosine on two groups of faces are one person, and how well that groups albums.

Albums of people kept for validation give the threshold; it is then measured on albums of evaluation people and on the demo's own.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from demo.faces.agreement import Agreement, agreement
from demo.faces.album import COUNT, FRIENDS, PeoplePhoto, people_photos
from demo.faces.evaluate import match
from demo.faces.grouping import SAME_PERSON, group_faces
from demo.faces.networks import WEIGHTS, DemoFaces, crop
from demo.people import EVALUATION_PEOPLE, VALIDATION_PEOPLE, DrawnFace, draw_group
from triptych_server.vision.face_options import MIN_SCORE

ALBUMS = 6
_STEPS = np.linspace(0.05, 0.7, 66)
_GOOD = 0.005  # thresholds that lose no more than this are as good as the best

Drawn = tuple[Image.Image, list[DrawnFace]]


@dataclass(frozen=True, slots=True)
class Met:
    """Faces found on an album: embeddings f32 [n, D] and whose each is (the person's seed; a false alarm has a negative number of its
    own), and the seeds of those that were not found.
    """

    embeddings: NDArray[np.float32]
    who: tuple[int, ...]
    missed: tuple[int, ...]

    @property
    def false(self) -> int:
        """False alarms."""
        return sum(seed < 0 for seed in self.who)

    @property
    def right(self) -> int:
        """Faces found."""
        return len(self.who) - self.false


def best_threshold(albums: Sequence[Met]) -> float:
    """The middle of those thresholds at which the albums' mean F1 of pairs is about the highest."""
    scores = np.array([np.mean([grouped(album, float(step)).f1 for album in albums]) for step in _STEPS])
    return float(np.median(_STEPS[scores >= scores.max() - _GOOD]))


def grouped(album: Met, threshold: float) -> Agreement:
    """How well `threshold` groups an album."""
    return agreement(group_faces(album.embeddings, threshold), album.who, album.missed)


def meet(networks: DemoFaces, pictures: Sequence[Drawn]) -> Met:
    """Find the faces on drawn pictures as the server would."""
    crops, who, missed = list[NDArray[np.uint8]](), list[int](), list[int]()
    for image, faces in pictures:
        found = networks.detect(image, MIN_SCORE)
        crops.append(crop(image, found.landmarks))
        partners = match(found, faces)
        met = [partner.person for partner in partners if partner is not None]
        who += [-len(who) - at if partner is None else partner.person for at, partner in enumerate(partners, start=1)]
        missed += [face.person for face in faces if face.person not in met]
    return Met(networks.embed(np.concatenate(crops)), tuple(who), tuple(missed))


def draw_photo(photo: PeoplePhoto) -> Drawn:
    """A picture of an album and its faces."""
    return draw_group(photo.group, photo.size)


def _albums(people: Sequence[int], count: int) -> list[list[PeoplePhoto]]:
    """Albums of as many friends as the demo's has, each album's others."""
    friends = len(FRIENDS)
    return [people_photos(COUNT, people[friends * at : friends * (at + 1)], first=1000 * (at + 1)) for at in range(count)]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m demo.faces.evaluate_grouping", description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--albums", type=int, default=ALBUMS)
    options = parser.parse_args()
    networks = DemoFaces(options.weights)
    with ProcessPoolExecutor(os.cpu_count()) as pool:

        def met(photos: Sequence[PeoplePhoto]) -> Met:
            return meet(networks, list(pool.map(draw_photo, photos)))

        validation = [met(album) for album in _albums(VALIDATION_PEOPLE, options.albums)]
        evaluation = [met(album) for album in _albums(EVALUATION_PEOPLE, options.albums)]
        demo = [met(people_photos())]
    console = Console()
    console.print(
        f"One person from a mean cosine of {best_threshold(validation):.2f} on, say the validation people;",
        f"SAME_PERSON in demo/faces/grouping.py is {SAME_PERSON:.2f}.",
    )
    table = Table("albums of", "faces", "missed", "false", "pairs right", "pairs found", f"groups, for {len(FRIENDS)} people")
    for name, albums in (("validation people", validation), ("evaluation people", evaluation), ("the demo", demo)):
        results = [grouped(album, SAME_PERSON) for album in albums]
        counts = [sum(each) for each in zip(*((album.right, len(album.missed), album.false) for album in albums), strict=True)]
        shares = np.mean([(each.precision, each.recall) for each in results], axis=0)
        groups = ", ".join(str(each.groups) for each in results)
        table.add_row(name, str(counts[0] + counts[1]), str(counts[1]), str(counts[2]), f"{shares[0]:.3f}", f"{shares[1]:.3f}", groups)
    console.print(table)


if __name__ == "__main__":
    main()
