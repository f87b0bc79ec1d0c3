"""From trained networks to the model folder that a hub would give: SCRFD's and ArcFace's exports, as InsightFace made them."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from demo.faces.nets import CHANNELS, Detector, Embedder
from demo.faces.networks import HEADS

_OPSET = 17


class _Flattened(nn.Module):
    """Scores as probabilities, all scores first, and the batch inside the rows ([H, W, B, C]), as SCRFD's exporter has it."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = self.detector.maps(x)
        rows = [[level[kind].permute(2, 3, 0, 1).reshape(-1, count) for level in levels] for kind, count in enumerate(CHANNELS)]
        return [*(score.sigmoid() for score in rows[0]), *rows[1], *rows[2]]


def export_detector(detector: Detector, folder: Path) -> None:
    """Write detection/model.onnx: `input.1` f32 [1, 3, 640, 640] -> nine outputs of (12800, 3200, 800) rows."""
    _write(_Flattened(detector), torch.zeros(1, 3, 640, 640), list(HEADS.names), folder / "detection" / "model.onnx", {})


def export_embedder(embedder: Embedder, folder: Path) -> None:
    """Write recognition/model.onnx: `input.1` f32 [N, 3, 112, 112] -> `embedding` f32 [N, 512], not normalised."""
    axes = {"input.1": {0: "batch"}, "embedding": {0: "batch"}}
    _write(embedder, torch.zeros(1, 3, 112, 112), ["embedding"], folder / "recognition" / "model.onnx", axes)


def _write(net: nn.Module, example: Tensor, outputs: list[str], path: Path, axes: dict[str, dict[int, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        exported = Path(scratch) / "model.onnx"
        # The tracing exporter is the one that these exports were made with; its notice is no news.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval().to(memory_format=torch.contiguous_format),  # type: ignore[call-overload]
            (example,),
            exported,
            input_names=["input.1"],
            output_names=outputs,
            opset_version=_OPSET,
            dynamic_axes=axes,
            dynamo=False,
        )
        model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
