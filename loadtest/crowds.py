"""Pictures with a known number of faces, as costly to decode as photos: drawn people side by side, under the grain of a photo."""

from itertools import islice
from pathlib import Path
from random import Random

from PIL import Image

from demo.faces.networks import WEIGHTS
from demo.people import EVALUATION_PEOPLE, draw_group, sample_group
from demo.scenes import EVALUATION_SEEDS, draw, sample
from loadtest.baselines.plain_faces import face_finder
from triptych_server.benchmark.photos import LONG_SIDE, drawn_picture, encode

SIZE = (LONG_SIDE, 1080)
COLUMNS = {0: 1, 1: 1, 3: 3, 10: 5}
"""Portraits in a row, for each number of faces."""
TRIES = 5
"""Drawn at most, for each picture that is kept."""
GRAIN = 0.12
"""Share of the noise picture: gives files of about 250 kB, as previews have."""


def crowd(faces: int, seed: int) -> bytes:
    """A 1440 x 1080 JPEG of quality 80 with `faces` people, one of the keys of COLUMNS; the same seed gives the same picture."""
    picture = _people(faces, seed) if faces else draw(sample(EVALUATION_SEEDS[seed]), SIZE, supersampling=1)
    return encode(Image.blend(picture, drawn_picture(seed), GRAIN))


def draw_crowds(folder: Path, count: int) -> dict[int, Path]:
    """Folders of `count` pictures by their number of faces, all of which the plain service finds with the demo's networks.

    RuntimeError when too few such pictures come up.
    """
    find, crowds = face_finder(WEIGHTS), dict[int, Path]()
    for faces in COLUMNS:
        crowds[faces] = folder / str(faces)
        crowds[faces].mkdir(parents=True)
        fitting = (picture for picture in (crowd(faces, seed) for seed in range(TRIES * count)) if len(find(picture)) == faces)
        found = 0
        for found, picture in enumerate(islice(fitting, count), start=1):
            (crowds[faces] / f"{found:03}.jpg").write_bytes(picture)
        if found < count:
            raise RuntimeError(f"on {found} of {TRIES * count} drawn pictures of {faces} faces just those were found; {count} are needed")
    return crowds


def _people(faces: int, seed: int) -> Image.Image:
    columns = COLUMNS[faces]
    width, height = SIZE[0] // columns, SIZE[1] // (faces // columns)
    picture = Image.new("RGB", SIZE)
    rng = Random(f"crowd {faces} {seed}")
    for at, person in enumerate(rng.sample(EVALUATION_PEOPLE, faces)):
        group = sample_group(1000 * seed + at, [person], (width, height), count=1, least=0.3, kind="crowd")
        picture.paste(draw_group(group, (width, height))[0], (at % columns * width, at // columns * height))
    return picture
