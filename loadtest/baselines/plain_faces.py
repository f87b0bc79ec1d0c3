"""Faces as they are usually found: PIL -> letterbox -> detector -> numpy -> crops -> one run of the embedder for all faces of a photo.

Written from what such services do (SCRFD's outputs, NMS 0.4, five-point alignment), apart from Triptych's own code: it is what that
is compared with.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image

Array = npt.NDArray[Any]

SIDE, FACE = 640, 112
MIN_SCORE, SAME = 0.7, 0.4
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


def face_finder(folder: Path) -> Callable[[bytes], list[dict[str, Any]]]:
    """Open detection/ and recognition/model.onnx once, for all threads; a photo to its faces, the surest first.

    Each is {box [4], landmarks [5,2], score, embedding [D]}, in pixels of the photo.
    """
    detector, embedder = (
        onnxruntime.InferenceSession(folder / part / "model.onnx", providers=["CPUExecutionProvider"])
        for part in ("detection", "recognition")
    )

    def find(data: bytes) -> list[dict[str, Any]]:
        photo = Image.open(BytesIO(data)).convert("RGB")
        square, scale = letterbox(photo)
        blob = ((square.astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]
        boxes, scores, points = faces_of(detector.run(None, {"input.1": blob}))
        if not len(scores):
            return []
        boxes, points = boxes / scale, points / scale
        crops = np.stack([aligned(photo, each) for each in points]).astype(np.float32)
        (embeddings,) = embedder.run(None, {"input.1": ((crops - 127.5) / 127.5).transpose(0, 3, 1, 2)})
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        parts = zip(boxes.tolist(), points.tolist(), scores.tolist(), embeddings.tolist(), strict=True)
        return [dict(zip(("box", "landmarks", "score", "embedding"), part, strict=True)) for part in parts]

    return find


def letterbox(photo: Image.Image) -> tuple[Array, float]:
    """uint8 [640,640,3], the photo at its top left, and the photo's scale there."""
    scale = SIDE / max(photo.size)
    small = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.BILINEAR)
    square = np.zeros((SIDE, SIDE, 3), np.uint8)
    square[: small.height, : small.width] = np.asarray(small)
    return square, scale


def faces_of(outputs: list[Array]) -> tuple[Array, Array, Array]:
    """SCRFD's nine outputs -> boxes [N,4], scores [N], landmarks [N,5,2] in letterbox pixels, the surest first."""
    boxes, scores, points = [], [], []
    for at, stride in enumerate((8, 16, 32)):
        score, distance, offset = outputs[at][:, 0], outputs[at + 3], outputs[at + 6]
        rows = np.flatnonzero(score >= MIN_SCORE)
        cell = rows // 2  # two anchors in each
        cells = SIDE // stride
        centre = np.stack([cell % cells, cell // cells], axis=1) * stride
        far = distance[rows] * stride
        boxes.append(np.concatenate([centre - far[:, :2], centre + far[:, 2:]], axis=1))
        points.append(centre[:, None] + offset[rows].reshape(-1, 5, 2) * stride)
        scores.append(score[rows])
    box, score, point = np.concatenate(boxes), np.concatenate(scores), np.concatenate(points)
    order = np.argsort(-score)
    kept = suppressed(box[order])
    return box[order][kept], score[order][kept], point[order][kept]


def suppressed(boxes: Array) -> list[int]:
    """Rows of those that overlap no surer one by more than 0.4; `boxes` [N,4] come the surest first."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept, rest = [], np.arange(len(boxes))
    while len(rest):
        first, rest = rest[0], rest[1:]
        kept.append(int(first))
        sides = np.minimum(boxes[first, 2:], boxes[rest, 2:]) - np.maximum(boxes[first, :2], boxes[rest, :2])
        shared = sides.clip(min=0).prod(axis=1)
        rest = rest[shared / (area[first] + area[rest] - shared) <= SAME]
    return kept


def aligned(photo: Image.Image, points: Array) -> Array:
    """One face uint8 [112,112,3], its landmarks [5,2] brought onto ArcFace's template by the best turn, scale and shift."""
    # Least squares of a complex factor and offset: photo = a * template + b, which is what PIL's transform asks for.
    there, here = TEMPLATE @ [1, 1j], points @ [1, 1j]
    a = np.vdot(there - there.mean(), here - here.mean()) / np.vdot(there - there.mean(), there - there.mean())
    b = here.mean() - a * there.mean()
    matrix = (a.real, -a.imag, b.real, a.imag, a.real, b.imag)
    return np.asarray(photo.transform((FACE, FACE), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))
