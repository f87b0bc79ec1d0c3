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
from demo.scenes import EVALUATION_SEEDS, TRAINING_SEEDS, Scene, change, sample
from demo.scenes.colour import COLOURS
from demo.scenes.facts import encode_scenes
from demo.scenes.layout import Placed
from demo.scenes.objects import KINDS
from demo.scenes.render import compose
from demo.scenes.variants import ATTRIBUTES

SIDE = 112  # the visual tower halves its 224 x 224 input at once, so it is trained on pictures of half the side
GRID = 7  # cells of the tower's last feature map, across and down
_SHAPES = {"pixels": (SIDE, SIDE, 3), "cells": (GRID, GRID, 2)}
_CHUNK = 250
_KINDS, _COLOURS = list(KINDS), list(COLOURS)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pair by pair: `pixels` uint8 [n, 2, SIDE, SIDE, 3], `cells` uint8 [n, 2, GRID, GRID, 2] with the kind and colour of what
    covers each cell (0: nothing, else one more than their place in the registry), and the scenes.
    """

    pixels: NDArray[np.uint8]
    cells: NDArray[np.uint8]
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
    folder = cache / f"pictures-{len(pairs)}-{_fingerprint()}"
    if not folder.exists():
        unfinished = folder.with_suffix(".part")
        unfinished.mkdir(parents=True, exist_ok=True)
        arrays = [_memory(unfinished / f"{name}.npy", (len(pairs), 2, *shape)) for name, shape in _SHAPES.items()]
        chunks = [pairs[at : at + _CHUNK] for at in range(0, len(pairs), _CHUNK)]
        with ProcessPoolExecutor(processes) as pool:
            done = 0
            for parts in pool.map(_draw_pairs, chunks):
                for array, part in zip(arrays, parts, strict=True):
                    array[done : done + len(part)] = part
                done += len(parts[0])
                yield done
        for array in arrays:
            array.flush()
        unfinished.replace(folder)
    pixels, cells = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in _SHAPES)
    yield Pictures(pixels, cells, pairs)


def _memory(path: Path, shape: tuple[int, ...]) -> np.memmap[tuple[int, ...], np.dtype[np.uint8]]:
    array: np.memmap[tuple[int, ...], np.dtype[np.uint8]]
    array = np.lib.format.open_memmap(path, "w+", np.uint8, shape)  # type: ignore[no-untyped-call]
    return array


def _draw_pairs(pairs: list[tuple[Scene, Scene]]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    drawn = [[_picture(scene) for scene in pair] for pair in pairs]
    return tuple(np.stack([np.stack([both[part] for both in pair]) for pair in drawn]) for part in (0, 1))  # type: ignore[return-value]


def _picture(scene: Scene) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The scene as preprocessing would show it to the tower: another size and aspect ratio each time, then the centre."""
    rng = Random(f"view {scene}")
    short = round(SIDE * rng.uniform(1.0, 1.45))
    long = round(short * rng.choice((1, 1, 1.33, 1.5)))
    size = (long, short) if rng.random() < 0.7 else (short, long)
    image, objects = compose(scene, size, supersampling=2)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    image = image.crop((left, top, left + short, top + short))
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)), _cells(objects)


def _cells(objects: list[Placed]) -> NDArray[np.uint8]:
    """Which object covers the middle of each cell, the nearest where there are several; every object has one cell at least."""
    cells = np.zeros((GRID, GRID, 2), dtype=np.uint8)
    middles = (np.arange(GRID) + 0.5) / GRID
    for each in objects:
        wide, high = each.size * each.kind.shape[0], each.size * each.kind.shape[1]
        u, v = each.u, each.v + (each.size - high) / 2
        label = (_KINDS.index(each.kind.name) + 1, _COLOURS.index(each.colour) + 1)
        across, down = np.abs(middles - u) < wide * 0.42, np.abs(middles - v) < high * 0.42
        cells[down[:, None] & across[None, :]] = label
        cells[min(GRID - 1, max(0, int(v * GRID))), min(GRID - 1, max(0, int(u * GRID)))] = label
    return cells


def _fingerprint() -> str:
    """Changes whenever the code that draws does."""
    names = [module.name for module in pkgutil.walk_packages(demo.scenes.__path__, "demo.scenes.")]
    sources = [inspect.getsource(import_module(name)) for name in sorted(names)]
    return hashlib.sha256("".join([*sources, inspect.getsource(_picture), inspect.getsource(_cells)]).encode()).hexdigest()[:12]
