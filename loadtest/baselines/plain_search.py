"""CLIP image embedding as it is usually written: PIL -> numpy -> one run of onnxruntime for each photo."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image

SIZE = 224
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)


def decode(data: bytes) -> npt.NDArray[np.uint8]:
    """Encoded picture -> uint8 RGB [224,224,3]: full decode, shortest side to 224 by bicubic, centre crop, as torchvision rounds."""
    picture = Image.open(BytesIO(data)).convert("RGB")
    shortest = min(picture.size)
    width, height = SIZE * picture.width // shortest, SIZE * picture.height // shortest
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - SIZE) / 2), round((height - SIZE) / 2)
    return np.asarray(picture.crop((left, top, left + SIZE, top + SIZE)))


def normalise(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """uint8 RGB [S,S,3] -> float32 [1,3,S,S], the input of a legacy CLIP export."""
    scaled = (pixels.astype(np.float32) / 255 - MEAN) / STD
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def embedder(model: Path) -> Callable[[bytes], list[float]]:
    """Open a legacy visual tower (`image` f32[1,3,224,224] -> `embedding` f32[1,D]) once, for all threads."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def embed(data: bytes) -> list[float]:
        (embedding,) = session.run(["embedding"], {"image": normalise(decode(data))})
        numbers: list[float] = embedding[0].tolist()
        return numbers

    return embed
