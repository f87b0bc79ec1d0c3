"""The demo's face networks run by onnxruntime alone: a picture in, its faces or their embeddings out. The yardstick for what is served."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image

from triptych_server.models.anchors import decode
from triptych_server.models.detector_heads import STRIDES, Heads
from triptych_server.vision.alignment import aligned_crops
from triptych_server.vision.decode import Picture
from triptych_server.vision.detections import Detections, find_faces
from triptych_server.vision.letterbox import Letterbox, letterbox
from triptych_server.vision.orientation import Orientation

WEIGHTS = Path(__file__).resolve().parents[1] / "weights" / "faces"
_SCORES, _BOXES, _LANDMARKS = (tuple(f"{kind}_{stride}" for stride in STRIDES) for kind in ("score", "bbox", "kps"))
HEADS = Heads(_SCORES, _BOXES, _LANDMARKS, per_cell=2)
EMBED_DIM = 512  # as ArcFace has it, so that no shape of the repository changes when the demo comes or goes
_BATCH = 64


class DemoFaces:
    """Both networks of a face model folder in the hub layout, in their original form."""

    def __init__(self, folder: Path = WEIGHTS, *, threads: int = 2) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._detector, self._embedder = (
            ort.InferenceSession(str(folder / part / "model.onnx"), options, providers=["CPUExecutionProvider"])
            for part in ("detection", "recognition")
        )

    def detect(self, image: Image.Image, min_score: float = 0.5) -> Detections:
        """The faces on an RGB picture, the surest first, in its pixels."""
        square = letterbox(_picture(image))
        given = (square.astype(np.float32).transpose(2, 0, 1)[None] - 127.5) / 128
        outputs = self._detector.run(HEADS.names, {"input.1": given})
        raw = decode(dict(zip(HEADS.names, (each[None] for each in outputs), strict=True)), HEADS, sigmoid=False)
        found = find_faces(Detections(raw.boxes[0], raw.scores[0], raw.landmarks[0]), min_score)
        place = Letterbox(*image.size)
        boxes = place.to_photo(found.boxes.reshape(-1, 2, 2)).reshape(-1, 4)
        return Detections(boxes, found.scores, place.to_photo(found.landmarks))

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Aligned faces uint8 [N, 112, 112, 3] -> f32 [N, 512] of unit length."""
        parts = [
            self._embedder.run(None, {"input.1": (crops[at : at + _BATCH].astype(np.float32).transpose(0, 3, 1, 2) - 127.5) / 127.5})[0]
            for at in range(0, len(crops), _BATCH)
        ]
        found = np.concatenate(parts)
        unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
        return unit


def crop(image: Image.Image, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Faces with landmarks [N, 5, 2], cut out of an RGB picture and aligned: uint8 [N, 112, 112, 3]."""
    return aligned_crops(_picture(image), landmarks)


def _picture(image: Image.Image) -> Picture:
    return Picture(image, image.width, image.height, 1.0, Orientation(swap=False, mirror_x=False, mirror_y=False, turn=None))
