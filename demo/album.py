"""`python -m demo.album`: draws the demo album, a hundred pictures of many sizes and formats, into demo/out/album."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL import Image

from demo.drawing import drawn_into
from demo.scenes import ALBUM_SEEDS, Scene, draw, sample
from demo.scenes.facts import Claim, Facts, encode_facts, encode_scenes, fits

FOLDER = Path(__file__).resolve().parent / "out" / "album"
COUNT = 100
_PER_THEME = 5
_SIZES = ((480, 360), (640, 480), (360, 480), (600, 400), (400, 600), (512, 512), (720, 405), (450, 600), (800, 500))
_SUFFIXES = (".jpg", ".jpg", ".jpg", ".png", ".webp")
_ORIENTATION_TAG = 0x0112
# EXIF orientation -> how the stored pixels are turned, so that a reader who honours the tag sees them upright.
_STORED = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def _one(kind: str | None = None, colour: str | None = None, count: int | None = None) -> tuple[Claim, ...]:
    return (Claim(kind, colour, count),)


# What an album of a year would hold; the rest of each picture is left to chance.
THEMES: tuple[Facts, ...] = (
    Facts(_one("boat"), place="lake", time="sunset"),
    Facts(_one("cat"), place="snow"),
    Facts(_one("balloon", "red"), place="beach"),
    Facts(_one("fish"), place="underwater"),
    Facts(_one("house"), place="mountains", time="night"),
    Facts(_one("star"), place="sky", time="night"),
    Facts(_one("bicycle"), place="city"),
    Facts(_one("rabbit"), place="meadow"),
    Facts(_one("tree"), place="desert"),
    Facts(_one("mushroom"), place="forest"),
    Facts(_one("dog"), place="beach", time="day"),
    Facts(_one("umbrella"), place="city", time="night"),
    Facts(_one("bird", count=2), place="lake"),
    Facts((Claim("butterfly", None, None), Claim("flower", None, None)), "above"),
    Facts(_one("lamp"), place="room"),
    Facts(_one("present"), place="room"),
    Facts(_one("car"), place="desert", time="day"),
    Facts(_one("kite"), place="meadow", time="day"),
    Facts((Claim("ball", None, None), Claim("cube", None, None)), "left"),
    Facts(_one("apple", count=4)),
)


@dataclass(frozen=True, slots=True)
class Photo:
    """One picture of the album: what it shows and how its file is made."""

    name: str
    scene: Scene
    size: tuple[int, int]
    orientation: int


def photos(count: int = COUNT) -> list[Photo]:
    """The album's pictures, always the same ones, in no order of theme."""
    rng = Random("album")
    scenes = list(_scenes())
    rng.shuffle(scenes)
    album = []
    for at, scene in enumerate(scenes[:count]):
        suffix = rng.choice(_SUFFIXES)
        turned = suffix == ".jpg" and rng.random() < 0.15
        album.append(Photo(f"{at + 1:03}{suffix}", scene, rng.choice(_SIZES), rng.choice(tuple(_STORED)) if turned else 1))
    return album


def draw_album(folder: Path = FOLDER, *, count: int = COUNT, processes: int | None = None) -> Iterator[Path]:
    """Draw the album into `folder` (what other pictures it held is removed), path by path as they are written."""
    return drawn_into(folder, photos(count), _write, processes)


def _scenes() -> Iterator[Scene]:
    """For each theme, the first scenes of the album's seeds that it is true of."""
    wanted = encode_facts(THEMES)
    left = [_PER_THEME] * len(THEMES)
    for seed in ALBUM_SEEDS:
        scene = sample(seed)
        for theme in fits(wanted, encode_scenes([scene]))[:, 0].nonzero()[0]:
            if left[theme]:
                left[theme] -= 1
                yield scene
                break
        if not any(left):
            return


def _write(photo: Photo, folder: Path) -> Path:
    # Large pictures are smooth enough with fewer samples.
    samples = 3 if photo.size[0] * photo.size[1] <= 180_000 else 2
    image, path = draw(photo.scene, photo.size, supersampling=samples), folder / photo.name
    if photo.orientation == 1:
        image.save(path, quality=90)
        return path
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = photo.orientation
    image.transpose(_STORED[photo.orientation]).save(path, quality=90, exif=exif)
    return path


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m demo.album", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--count", type=int, default=COUNT)
    options = parser.parse_args()
    drawn = len(list(draw_album(options.out, count=options.count)))
    print(f"{drawn} pictures in {options.out}")


if __name__ == "__main__":
    main()
