"""From pictures and scenes to training batches: new captions each time, each beside one that is wrong in one attribute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from demo.scenes import Scene, change, describe
from demo.scenes.facts import encode_facts, encode_scenes, fits
from demo.scenes.variants import ATTRIBUTES
from demo.training.pictures import Pictures

_SHIFT = 6  # pixels of 112 that a picture may move, so that the net does not learn the layout's own grid


@dataclass(frozen=True, slots=True)
class Batch:
    """`images` uint8 [B, 3, S, S]; `tokens` int64 [2B, L], the true captions first, then the wrong ones; `fits` bool
    [2B, B]: which caption is true of which picture, whosever it is.
    """

    images: Tensor
    tokens: Tensor
    fits: Tensor


def batches(pictures: Pictures, tokenizer: Tokenizer, pairs_each: int, rng: Random) -> Iterator[Batch]:
    """One epoch of shuffled batches of `pairs_each` pairs."""
    order = rng.sample(range(len(pictures.scenes)), len(pictures.scenes))
    for at in range(0, len(order) - pairs_each + 1, pairs_each):
        chosen = sorted(order[at : at + pairs_each])
        scenes = [scene for i in chosen for scene in pictures.scenes[i]]
        yield _batch(pictures.pixels[chosen].reshape(-1, *pictures.pixels.shape[2:]), scenes, tokenizer, rng)


def _batch(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], scenes: list[Scene], tokenizer: Tokenizer, rng: Random) -> Batch:
    true, wrong = [], []
    for scene in scenes:
        silence = rng.choice((0.0, 0.0, 0.2, 0.5))
        phrasing = rng.getrandbits(40)
        true.append(describe(scene, Random(phrasing), silence=silence))
        other = change(scene, rng.sample(ATTRIBUTES, len(ATTRIBUTES)), rng)
        wrong.append(describe(other, Random(phrasing), silence=silence))
    captions = [*true, *wrong]
    encoded = tokenizer.encode_batch_fast([c.text for c in captions])
    tokens = torch.zeros(len(captions), max(len(e.ids) for e in encoded), dtype=torch.int64)
    for row, e in zip(tokens, encoded, strict=True):
        row[: len(e.ids)] = torch.tensor(e.ids)
    agree = fits(encode_facts([c.facts for c in captions]), encode_scenes(scenes))
    return Batch(_shifted(pixels, rng), tokens, torch.from_numpy(agree))


def _shifted(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], rng: Random) -> Tensor:
    """uint8 [B, S, S, 3] -> [B, 3, S, S], each picture moved a little over its own repeated edge."""
    side = pixels.shape[1]
    wide = np.pad(pixels, ((0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT), (0, 0)), mode="edge")
    moved = np.empty_like(pixels)
    for i in range(len(pixels)):
        down, right = rng.randint(0, 2 * _SHIFT), rng.randint(0, 2 * _SHIFT)
        moved[i] = wide[i, down : down + side, right : right + side]
    return torch.from_numpy(moved).permute(0, 3, 1, 2)
