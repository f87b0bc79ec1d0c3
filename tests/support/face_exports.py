"""Small face networks in every layout that the import knows, with random weights: a name in, the file and its torch reference out.

References take what the served graph takes (uint8 pictures) in any batch, scale it as InsightFace does, run the torch modules, and
decode anchors with code of their own.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

PICTURE, FACE, DIM = 640, 112, 24
STRIDES = (8, 16, 32)
WIDTH = 8


@dataclass(frozen=True, slots=True)
class FaceExport:
    """A file, and what is right for it. `reference` gives boxes, scores and landmarks, or embeddings."""

    path: Path
    layout: str
    reference: Callable[[NDArray[np.uint8]], Any]
    per_cell: int = 2
    sigmoid: bool = False


class Detector(nn.Module):
    """SCRFD's form: a backbone to strides 8, 16 and 32, a way down from coarse to fine, heads with a scale for each stride.

    [B,3,H,W] to nine maps [B,C,h,w]: three of scores, three of distances, three of landmarks.
    """

    def __init__(self, per_cell: int = 2, logits: bool = False, scaled: bool = False) -> None:
        super().__init__()
        self.per_cell, self.logits, self.scaled = per_cell, logits, scaled
        self.stem = self._step(3, 4)
        self.steps = nn.ModuleList(self._step(WIDTH, 2) for _ in STRIDES)
        self.heads = nn.ModuleList(nn.Conv2d(WIDTH, channels * per_cell, 3, padding=1) for channels in (1, 4, 10))
        self.scales = nn.Parameter(torch.tensor([1.0, 1.5, 0.7]))

    @staticmethod
    def _step(inside: int, stride: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(inside, WIDTH, 3, stride, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU())

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem((x - 127.5) * 0.0078125 if self.scaled else x)
        levels = []
        for step in self.steps:
            x = step(x)
            levels.append(x)
        for fine in (1, 0):  # the size is computed from the finer map, as in SCRFD's neck
            levels[fine] = levels[fine] + functional.interpolate(levels[fine + 1], size=levels[fine].shape[2:], mode="nearest")
        scores, boxes, points = ([head(level) for level in levels] for head in self.heads)
        scores = scores if self.logits else [score.sigmoid() for score in scores]
        return [*scores, *(box * scale for box, scale in zip(boxes, self.scales, strict=True)), *points]


class Flattened(nn.Module):
    """The detector as SCRFD's exporter writes it: rows of [h,w,B,C], so that the batch is inside the rows."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, x: Tensor) -> list[Tensor]:
        channels = [1] * 3 + [4] * 3 + [10] * 3
        return [one.permute(2, 3, 0, 1).reshape(-1, count) for one, count in zip(self.detector(x), channels, strict=True)]


class Batched(Flattened):
    """The same with the batch in front, [B, anchors, C]; kinds interleaved, in an order of its own."""

    def forward(self, x: Tensor) -> list[Tensor]:
        channels = [1] * 3 + [4] * 3 + [10] * 3
        maps = [one.permute(0, 2, 3, 1).reshape(x.shape[0], -1, count) for one, count in zip(self.detector(x), channels, strict=True)]
        return [maps[index] for index in (8, 2, 5, 6, 0, 3, 7, 1, 4)]


class Embedder(nn.Module):
    """ArcFace's form: convolutions with batch norm and PReLU, a flattening, a linear map and a last batch norm; not normalised."""

    def __init__(self, scaled: bool = False, normalise: bool = False) -> None:
        super().__init__()
        self.scaled, self.normalise = scaled, normalise
        self.body = nn.Sequential(
            nn.Conv2d(3, WIDTH, 3, 2, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.PReLU(WIDTH),
            nn.Conv2d(WIDTH, WIDTH, 3, 4, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.PReLU(WIDTH),
            nn.Dropout(), nn.Flatten(), nn.Linear(WIDTH * 14 * 14, DIM), nn.BatchNorm1d(DIM),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.body((x - 127.5) * 0.0078125 if self.scaled else x)
        return functional.normalize(found, dim=-1) if self.normalise else found


def pictures(count: int, size: int) -> NDArray[np.uint8]:
    """uint8 [count, size, size, 3]: random patches of two sizes, so that every stride has something to see."""
    random = np.random.default_rng(11)
    coarse, fine = (random.integers(0, 128, (count, size // side, size // side, 3), dtype=np.uint8) for side in (16, 4))
    return coarse.repeat(16, axis=1).repeat(16, axis=2) + fine.repeat(4, axis=1).repeat(4, axis=2)


def make(name: str, folder: Path) -> FaceExport:
    """Build the export `name` (a key of DETECTORS or EMBEDDERS) in `folder`."""
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {**DETECTORS, **EMBEDDERS}[name](folder / f"{name}.onnx")


def six_outputs(path: Path) -> Path:
    """A detector without landmarks."""
    torch.manual_seed(3)

    class Six(Flattened):
        def forward(self, x: Tensor) -> list[Tensor]:
            return super().forward(x)[:6]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _export(Six(trained(Detector())), path, PICTURE)
    return path


def half_precision(path: Path) -> Path:
    """The export `scrfd-640` in float16 all through."""
    torch.manual_seed(3)
    model = Flattened(trained(Detector())).half()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (torch.randn(1, 3, PICTURE, PICTURE).half(),), str(path), dynamo=False, input_names=["input.1"], opset_version=13
        )
    return path


def _export(model: nn.Module, path: Path, size: int, axes: dict[int, str] | None = None, **options: Any) -> None:
    """The outputs are named by numbers, as the exporter does when nobody names them."""
    names = {"input_names": ["input.1"]}
    options.setdefault("opset_version", 11)
    if options.get("dynamo"):
        options |= {"opset_version": 18, "external_data": False, "verbose": False}
    elif axes:
        options["dynamic_axes"] = {"input.1": axes}
    torch.onnx.export(model.eval(), (torch.randn(1, 3, size, size),), str(path), **{"dynamo": False, **names, **options})


def trained(model: Any) -> Any:
    """Weights and batch norms as after a training, so that what a net sees moves its answer; in evaluation mode."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=(1.0 if isinstance(module, nn.Conv2d) else 2.0) / module.weight[0].numel() ** 0.5)
        elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.1, 0.4)
        elif isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, 0.05, 0.5)
    return model.eval()


def _scrfd(path: Path, wrap: type[Flattened] = Flattened, axes: dict[int, str] | None = None, **kinds: Any) -> FaceExport:
    options = {name: kinds.pop(name) for name in ("dynamo", "opset_version") if name in kinds}
    model = trained(Detector(**kinds))
    _export(wrap(model), path, PICTURE, axes, **options)

    def reference(rows: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        x = torch.from_numpy(rows).permute(0, 3, 1, 2).float()
        with torch.no_grad():
            maps = [one.numpy() for one in model(x if model.scaled else (x - 127.5) / 128)]
        if model.logits:
            maps[:3] = [1 / (1 + np.exp(-one)) for one in maps[:3]]
        return decode(maps, model.per_cell)

    return FaceExport(path, "scrfd-scaled" if model.scaled else "scrfd", reference, model.per_cell, model.logits)


def decode(maps: Sequence[NDArray[np.float32]], per_cell: int) -> tuple[NDArray[np.float32], ...]:
    """Nine maps [N,C,h,w] to boxes [N,A,4], scores [N,A], landmarks [N,A,5,2], cell by cell and side by side."""
    parts = []
    for level, stride in enumerate(STRIDES):
        scores, boxes, points = (maps[level + 3 * kind].transpose(0, 2, 3, 1) for kind in range(3))
        count, height, width, _ = scores.shape
        distances = boxes.reshape(count, height, width, per_cell, 4) * stride
        offsets = points.reshape(count, height, width, per_cell, 5, 2) * stride
        x, y = np.meshgrid(np.arange(width, dtype=np.float32) * stride, np.arange(height, dtype=np.float32) * stride)
        x, y = x[..., None], y[..., None]
        sides = [x - distances[..., 0], y - distances[..., 1], x + distances[..., 2], y + distances[..., 3]]
        spots = np.stack([x[..., None] + offsets[..., 0], y[..., None] + offsets[..., 1]], axis=-1)
        parts.append((np.stack(sides, axis=-1).reshape(count, -1, 4), scores.reshape(count, -1), spots.reshape(count, -1, 5, 2)))
    boxes, scores, landmarks = (np.concatenate(kind, axis=1) for kind in zip(*parts, strict=True))
    return boxes, scores, landmarks


def _arcface(path: Path, axes: dict[int, str] | None = None, **kinds: Any) -> FaceExport:
    options = {name: kinds.pop(name) for name in ("dynamo", "opset_version") if name in kinds}
    model = trained(Embedder(**kinds))
    _export(model, path, FACE, axes, **options)

    def reference(rows: NDArray[np.uint8]) -> NDArray[np.float32]:
        x = torch.from_numpy(rows).permute(0, 3, 1, 2).float()
        with torch.no_grad():
            return functional.normalize(model(x if model.scaled else (x - 127.5) / 127.5), dim=-1).numpy()

    return FaceExport(path, "arcface-scaled" if model.scaled else "arcface", reference)


def _v2(path: Path, kind: str) -> FaceExport:
    """Immich's newer form: uint8 [batch,H,W,3], scaled in the graph, an open batch; embeddings of unit length."""
    random = np.random.default_rng(5)
    node = helper.make_node
    detects = kind == "detector"
    weights: dict[str, NDArray[Any]] = {
        "middle": np.array(127.5, np.float32),
        "step": np.array(1 / 128 if detects else 1 / 127.5, np.float32),
    }
    nodes = [
        node("Cast", ["image"], ["f"], to=TensorProto.FLOAT), node("Sub", ["f", "middle"], ["g"]), node("Mul", ["g", "step"], ["h"]),
        node("Transpose", ["h"], ["level0"], perm=[0, 3, 1, 2]),
    ]  # fmt: skip
    outputs = []
    if detects:
        for level, (inside, stride) in enumerate(((3, 8), (WIDTH, 2), (WIDTH, 2)), 1):
            weights[f"w{level}"] = random.normal(0, 1 / stride, (WIDTH, inside, stride, stride)).astype(np.float32)
            nodes.append(node("Conv", [f"level{level - 1}", f"w{level}"], [f"c{level}"], strides=[stride, stride]))
            nodes.append(node("Tanh", [f"c{level}"], [f"level{level}"]))
            for name, channels in (("scores", 1), ("boxes", 4), ("kps", 10)):
                end = f"{name}{STRIDES[level - 1]}"
                weights[f"{end}.w"] = random.normal(0, 1, (2 * channels, WIDTH, 1, 1)).astype(np.float32)
                weights[f"{end}.s"] = np.array([0, -1, channels])
                nodes += [
                    node("Conv", [f"level{level}", f"{end}.w"], [f"{end}.c"]),
                    node("Transpose", [f"{end}.c"], [f"{end}.t"], perm=[0, 2, 3, 1]),
                ]
                nodes.append(node("Reshape", [f"{end}.t", f"{end}.s"], [f"{end}.r" if channels == 1 else end]))
                nodes += [node("Sigmoid", [f"{end}.r"], [end])] if channels == 1 else []
                outputs.append(helper.make_tensor_value_info(end, TensorProto.FLOAT, ["batch", f"anchors{STRIDES[level - 1]}", channels]))
        shape: list[int | str] = ["batch", "height", "width", 3]
    else:
        weights |= {"w": random.normal(0, 0.1, (WIDTH, 3, 16, 16)).astype(np.float32), "axis": np.array([-1])}
        weights["out"] = random.normal(0, 1, (WIDTH * 49, DIM)).astype(np.float32)
        nodes += [
            node("Conv", ["level0", "w"], ["c"], strides=[16, 16]), node("Tanh", ["c"], ["t"]), node("Flatten", ["t"], ["l"]),
            node("MatMul", ["l", "out"], ["e"]), node("ReduceL2", ["e", "axis"], ["n"]), node("Div", ["e", "n"], ["embedding"]),
        ]  # fmt: skip
        outputs.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIM]))
        shape = ["batch", FACE, FACE, 3]
    held = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, kind, [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)], outputs, held)
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11), str(path))
    w = {name: torch.from_numpy(value) for name, value in weights.items()}

    def reference(rows: NDArray[np.uint8]) -> Any:
        x = (torch.from_numpy(rows).permute(0, 3, 1, 2).float() - 127.5) * w["step"]
        if not detects:
            return functional.normalize(functional.conv2d(x, w["w"], stride=16).tanh().flatten(1) @ w["out"], dim=-1).numpy()
        maps: dict[str, NDArray[np.float32]] = {}
        for level, stride in enumerate(STRIDES, 1):
            x = functional.conv2d(x, w[f"w{level}"], stride=8 if level == 1 else 2).tanh()
            maps |= {f"{name}{stride}": functional.conv2d(x, w[f"{name}{stride}.w"]).numpy() for name in ("scores", "boxes", "kps")}
        scores = [1 / (1 + np.exp(-maps[f"scores{stride}"])) for stride in STRIDES]
        return decode([*scores, *(maps[f"{name}{stride}"] for name in ("boxes", "kps") for stride in STRIDES)], 2)

    return FaceExport(path, "immich-v2", reference)


_OPEN_SIDES = {2: "height", 3: "width"}
_OPEN_BATCH = {0: "batch", **_OPEN_SIDES}
DETECTORS: dict[str, Callable[[Path], FaceExport]] = {
    "scrfd": lambda path: _scrfd(path, axes=_OPEN_SIDES),
    "scrfd-640": _scrfd,
    "scrfd-one-anchor": lambda path: _scrfd(path, axes=_OPEN_SIDES, per_cell=1),
    "scrfd-logits": lambda path: _scrfd(path, logits=True),
    "scrfd-open-batch": lambda path: _scrfd(path, Batched, _OPEN_BATCH),
    "scrfd-flat-open-batch": lambda path: _scrfd(path, axes=_OPEN_BATCH),
    "scrfd-dynamo": lambda path: _scrfd(path, dynamo=True),
    "retinaface-scaled": lambda path: _scrfd(path, axes=_OPEN_SIDES, scaled=True),
    "immich-v2-detector": lambda path: _v2(path, "detector"),
}
EMBEDDERS: dict[str, Callable[[Path], FaceExport]] = {
    "arcface": _arcface,
    "arcface-open-batch": lambda path: _arcface(path, {0: "batch"}),
    "arcface-dynamo": lambda path: _arcface(path, dynamo=True),
    "arcface-scaled": lambda path: _arcface(path, scaled=True, opset_version=13),
    "arcface-normalised": lambda path: _arcface(path, {0: "batch"}, normalise=True),
    "immich-v2-embedder": lambda path: _v2(path, "embedder"),
}
