"""Drawn scenes: a seed gives a scene, a scene gives a picture and captions that fit it."""

from demo.scenes.captions import Caption, caption, describe
from demo.scenes.render import draw
from demo.scenes.sample import ALBUM_SEEDS, EVALUATION_SEEDS, TRAINING_SEEDS, sample
from demo.scenes.scene import Group, Scene
from demo.scenes.variants import change, variants

__all__ = [
    "ALBUM_SEEDS",
    "EVALUATION_SEEDS",
    "TRAINING_SEEDS",
    "Caption",
    "Group",
    "Scene",
    "caption",
    "change",
    "describe",
    "draw",
    "sample",
    "variants",
]
