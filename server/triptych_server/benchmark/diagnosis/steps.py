"""What a Python model computes, without Triton: its config and some inputs -> CPU milliseconds of one item on one core."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.read import parameters_of
from triptych_server.sessions.parameters import SERVING_KEYS, Parameters
from triptych_server.text.tokenizer import ClipTokenizer
from triptych_server.vision.clip_transform import ClipTransform
from triptych_server.vision.face_pixels import FacePixels
from triptych_server.vision.photo_pixels import PhotoPixels

Step = Callable[[bytes], object]

_MAKERS: Mapping[str, Callable[[Path, Mapping[str, str]], Step]] = {
    "clip_preprocess": lambda _, own: ClipTransform.from_parameters(own),
    "face_preprocess": lambda _, own: FacePixels.from_parameters(own).square,
    "photo_preprocess": lambda _, own: PhotoPixels.from_parameters(own),
    "clip_tokenize": lambda folder, own: ClipTokenizer.from_parameters(folder / "1" / "tokenizer.json", own).encode,
}
FIRST_STEPS = frozenset(_MAKERS)
"""The models that turn what a client sends into tensors."""


def first_step(config: ModelConfig, folder: Path) -> Step:
    """The function behind a model of FIRST_STEPS, set up by its config; `folder` is the model's. Raises ConfigError."""
    own = Parameters(parameters_of(config)).without("threads", *SERVING_KEYS).values
    return _MAKERS[config.name](folder, own)


def cpu_ms(step: Step, items: Sequence[bytes], rounds: int = 5) -> float:
    """CPU milliseconds of one item: the median of some rounds over all items, after one round that is not counted."""
    return median([round_ms(step, items) for _ in range(rounds + 1)][1:])


def round_ms(step: Step, items: Sequence[bytes]) -> float:
    """CPU milliseconds of one item, over all of them once."""
    begin = time.thread_time()  # CPU, not wall: what else runs on the machine is not counted
    for item in items:
        step(item)
    return 1e3 * (time.thread_time() - begin) / len(items)
