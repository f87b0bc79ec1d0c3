"""The training set: scenes in pairs that differ in one attribute, drawn once by parallel processes into a cache."""

from __future__ import annotations

import hashlib
import inspect
import pkgutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import demo.scenes
from demo.scenes import EVALUATION_SEEDS, TRAINING_SEEDS, Scene, change, draw, sample
from demo.scenes.facts import encode_scenes
from demo.scenes.variants import ATTRIBUTES

SIDE = 112  # the visual tower halves its 224 x 224 input at once, so it is trained on pictures of half the side
_CHUNK = 250


@dataclass(frozen=True, slots=True)
class Pictures:
    """`pixels` uint8 [n, 2, SIDE, SIDE, 3] and the scenes they show, pair by pair."""

    pixels: NDArray[np.uint8]
    scenes: list[tuple[Scene, Scene]]


def training_pairs(count: int, kept_for_evaluation: list[Scene]) -> list[tuple[Scene, Scene]]:
    """`count` scenes of the training seeds, each with a neighbour; none says the same as an evaluation scene."""
    if not set(TRAINING_SEEDS).isdisjoint(EVALUATION_SEEDS):
        raise AssertionError("training and evaluation seeds overlap")
    unseen = {view.tobytes() for views in encode_scenes(kept_for_evaluation) for view in views}
    pairs: list[tuple[Scene, Scene]] = []
    for seed in TRAINING_SEEDS:
        scene, rng = sample(seed), Random(f"neighbour {seed}")
        pair = (scene, change(scene, rng.sample(ATTRIBUTES, len(ATTRIBUTES)), rng))
        if not any(view[0].tobytes() in unseen for view in encode_scenes(pair)):
            pairs.append(pair)
        if len(pairs) == count:
            break
    return pairs


def load(pairs: list[tuple[Scene, Scene]], cache: Path, processes: int) -> Iterator[Pictures | int]:
    """Yields how many pairs have been drawn so far, then the pictures; drawn ones are taken from the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"pictures-{len(pairs)}-{_fingerprint()}.npy"
    if not path.exists():
        drawn = path.with_suffix(".part")
        shape = (len(pairs), 2, SIDE, SIDE, 3)
        pixels = np.lib.format.open_memmap(drawn, "w+", np.uint8, shape)  # type: ignore[no-untyped-call]
        chunks = [pairs[at : at + _CHUNK] for at in range(0, len(pairs), _CHUNK)]
        with ProcessPoolExecutor(processes) as pool:
            done = 0
            for part in pool.map(_draw_pairs, chunks):
                pixels[done : done + len(part)] = part
                done += len(part)
                yield done
        pixels.flush()
        drawn.replace(path)
    yield Pictures(np.load(path, mmap_mode="r"), pairs)


def _draw_pairs(pairs: list[tuple[Scene, Scene]]) -> NDArray[np.uint8]:
    return np.stack([np.stack([_picture(scene) for scene in pair]) for pair in pairs])


def _picture(scene: Scene) -> NDArray[np.uint8]:
    """The scene as preprocessing would show it to the tower: another size and aspect ratio each time, then the centre."""
    rng = Random(f"view {scene}")
    short = round(SIDE * rng.uniform(1.0, 1.45))
    long = round(short * rng.choice((1, 1, 1.33, 1.5)))
    size = (long, short) if rng.random() < 0.7 else (short, long)
    image = draw(scene, size, supersampling=2)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    image = image.crop((left, top, left + short, top + short))
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _fingerprint() -> str:
    """Changes whenever the code that draws does."""
    names = [module.name for module in pkgutil.walk_packages(demo.scenes.__path__, "demo.scenes.")]
    sources = [inspect.getsource(import_module(name)) for name in sorted(names)]
    return hashlib.sha256("".join([*sources, inspect.getsource(_picture)]).encode()).hexdigest()[:12]
