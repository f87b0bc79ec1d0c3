"""A face pack of a hub: a detector and an embedder with random weights, exported for `main` and for `v2`, and the faces they find."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tests.support.face_exports import FACE, PICTURE, STRIDES, Detector, Embedder, Flattened, decode, trained
from tests.support.faces import iou
from tests.support.hub import Files
from tests.support.hub_models.alignment import aligned
from tests.support.hub_models.decoys import other_runtimes
from tests.support.hub_models.export import newer, older
from tests.support.hub_models.from_bytes import FromBytes

_HALF = [0.5] * 3
_EYES_NOSE_MOUTH = [-0.7, -0.6, 0.7, -0.6, 0.0, 0.0, -0.5, 0.7, 0.5, 0.7]  # x, y each, in strides from the anchor
_IOU = 0.4


@dataclass(frozen=True)
class FoundFace:
    """In pixels of the picture; `embedding` has unit length."""

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: float
    embedding: NDArray[np.float32]


class FacePack:
    """The networks of a pack, of random weights but with boxes and landmarks that a face could have."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.detector, self.embedder = trained(Detector()), trained(Embedder())
        for head, bias in zip(self.detector.heads, ([0.0], [2.0] * 4, _EYES_NOSE_MOUTH), strict=True):
            nn.init.normal_(head.weight, std=0.02)
            head.bias.data = torch.tensor(bias).repeat(self.detector.per_cell)

    def main_revision(self) -> Files:
        """As InsightFace's packs are: the batch flattened into the rows of nine nameless outputs; one face, of any length."""
        detection = older(
            "detection/model.onnx", Flattened(self.detector), {"input.1": torch.zeros(1, 3, PICTURE, PICTURE)}, [],
            opset=11, axes={2: "height", 3: "width"},
        )  # fmt: skip
        recognition = older("recognition/model.onnx", self.embedder, {"input.1": torch.zeros(1, 3, FACE, FACE)}, [], opset=11)
        return self._files(detection | recognition)

    def v2_revision(self) -> Files:
        """Bytes in any batch; rows of each picture by name, scores, boxes and landmarks for each stride; faces of unit length."""
        detector = FromBytes(_Rows(self.detector), _HALF, [128 / 255] * 3)
        names = [f"{kind}{stride}" for kind in ("scores", "boxes", "kps") for stride in STRIDES]
        pictures = {"image": torch.zeros(2, PICTURE, PICTURE, 3, dtype=torch.uint8)}
        faces = {"image": torch.zeros(2, FACE, FACE, 3, dtype=torch.uint8)}
        recognition = newer("recognition/model.onnx", FromBytes(_UnitLength(self.embedder), _HALF, _HALF), faces, ["embedding"])
        return self._files(newer("detection/model.onnx", detector, pictures, names) | recognition)

    def clear_score(self, picture: NDArray[np.uint8]) -> float:
        """A score that some twenty to sixty anchors reach, and that no anchor is near to."""
        best = np.sort(self._detect(picture)[1])[::-1][20:60]
        gap = int((best[:-1] - best[1:]).argmax())
        return float(best[gap : gap + 2].mean())

    def faces(self, picture: NDArray[np.uint8], min_score: float) -> list[FoundFace]:
        """The faces on a picture uint8 [640,640,3], the surest first."""
        boxes, scores, landmarks = self._detect(picture)
        found = []
        for best in _apart(boxes, [index for index in scores.argsort()[::-1] if scores[index] >= min_score]):
            with torch.no_grad():
                crop = torch.from_numpy(aligned(picture, landmarks[best])).permute(2, 0, 1)[None].float()
                embedding = functional.normalize(self.embedder((crop - 127.5) / 127.5), dim=-1)[0].numpy()
            found.append(FoundFace(boxes[best], landmarks[best], float(scores[best]), embedding))
        return found

    def _detect(self, picture: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        x = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
        with torch.no_grad():
            maps = [one.numpy() for one in self.detector((x - 127.5) / 128)]
        return tuple(kind[0] for kind in decode(maps, self.detector.per_cell))

    @staticmethod
    def _files(networks: Files) -> Files:
        return {"README.md": b"# random weights", **networks, **other_runtimes("detection", "recognition")}


class _Rows(Flattened):
    """The detector with the batch in front: [B, anchors, C] for each of the nine."""

    def forward(self, x: Tensor) -> list[Tensor]:
        channels = [1] * 3 + [4] * 3 + [10] * 3
        return [one.permute(0, 2, 3, 1).reshape(x.shape[0], -1, count) for one, count in zip(self.detector(x), channels, strict=True)]


class _UnitLength(nn.Module):
    def __init__(self, embedder: nn.Module) -> None:
        super().__init__()
        self.embedder = embedder

    def forward(self, x: Tensor) -> Tensor:
        return functional.normalize(self.embedder(x), dim=-1)


def _apart(boxes: NDArray[np.float32], order: list[int]) -> list[int]:
    """Those of `order` that overlap none of the kept ones before them by more than _IOU."""
    kept: list[int] = []
    for index in order:
        if all(iou(boxes[index], boxes[other]) <= _IOU for other in kept):
            kept.append(index)
    return kept
