"""From a detector's raw heads to boxes, scores and landmarks in pixels of the letterbox, as numpy and as nodes of the served graph.

A cell's centre is (column, row) x stride. A head gives, in strides, how far a box's sides lie from the centre (left, top,
right, bottom) and where the five landmarks lie; anchors of one cell follow each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from triptych_server.models.detector_heads import STRIDES, Heads
from triptych_server.models.face_layouts import DETECTOR_SIZE

_OUTWARDS = np.array([-1, -1, 1, 1], np.float32)  # left and top are subtracted

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Detections:
    """Of every anchor: boxes [N,A,4] xyxy, scores [N,A], landmarks [N,A,5,2]; float32, in pixels of the letterbox."""

    boxes: Floats
    scores: Floats
    landmarks: Floats


def centres(per_cell: int) -> Floats:
    """The centre (x, y) of every anchor [A,2], finest stride first, rows of cells from the top."""
    found = []
    for stride in STRIDES:
        row, column = np.divmod(np.arange((DETECTOR_SIZE // stride) ** 2), DETECTOR_SIZE // stride)
        found.append(np.stack([column, row], axis=-1).repeat(per_cell, axis=0) * stride)
    middle: Floats = np.concatenate(found).astype(np.float32)
    return middle


def decode(raw: Mapping[str, Floats], heads: Heads, *, sigmoid: bool) -> Detections:
    """Raw outputs [N, rows, channels] by name to detections; `sigmoid` where the scores are logits."""
    middle = centres(heads.per_cell)
    scores, distances, offsets = (
        np.concatenate([raw[name] * np.float32(factor) for name, factor in zip(names, factors, strict=True)], axis=1)
        for names, factors in ((heads.scores, (1, 1, 1)), (heads.boxes, STRIDES), (heads.landmarks, STRIDES))
    )
    if sigmoid:
        with np.errstate(over="ignore"):  # exp of a very sure no: 1 / inf is the 0 that is meant
            scores = 1 / (1 + np.exp(-scores))
    boxes = np.tile(middle, 2) + distances * _OUTWARDS
    points = np.tile(middle, 5) + offsets
    return Detections(boxes, scores[..., 0], points.reshape(*points.shape[:2], 5, 2))


def decode_nodes(heads: Heads, *, sigmoid: bool) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes from the heads [B, rows, channels] to `boxes` [B,A,4], `scores` [B,A] and `landmarks` [B,A,5,2]."""
    nodes: list[NodeProto] = []
    constants: list[TensorProto] = []

    def constant(name: str, value: NDArray[np.generic]) -> str:
        constants.append(numpy_helper.from_array(value, f"triptych::{name}"))
        return constants[-1].name

    def add(op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [output], f"triptych::{op}.{output.removeprefix('triptych::')}", **attributes))
        return output

    scores = add("Concat", list(heads.scores), "triptych::score_rows", axis=1)
    if sigmoid:
        scores = add("Sigmoid", [scores], "triptych::probabilities")
    add("Reshape", [scores, constant("scores_shape", np.array([-1, heads.anchors]))], "scores")
    middle = centres(heads.per_cell)
    for kind, names, one in (("boxes", heads.boxes, _OUTWARDS), ("landmarks", heads.landmarks, np.ones(10, np.float32))):
        factors = [constant(f"{kind}_{stride}", stride * one) for stride in STRIDES]
        moved = [add("Mul", [n, factor], f"{n}::pixels") for n, factor in zip(names, factors, strict=True)]
        rows = add("Concat", moved, f"triptych::{kind}_moved", axis=1)
        centre = constant(f"{kind}_centres", np.tile(middle, one.size // 2))
        if kind == "boxes":
            add("Add", [rows, centre], "boxes")
        else:
            points = add("Add", [rows, centre], "triptych::points")
            add("Reshape", [points, constant("landmarks_shape", np.array([-1, heads.anchors, 5, 2]))], "landmarks")
    return nodes, constants


def rows_nodes(heads: Heads, flat: Mapping[str, str]) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes that give heads their batch axis, [B, rows, channels]; `flat`: head to the tensor that holds the rows of all pictures."""
    shapes = heads.shapes()
    constants = [numpy_helper.from_array(np.array([-1, *shapes[name]]), f"{name}::shape") for name in flat]
    return [helper.make_node("Reshape", [tensor, f"{name}::shape"], [name]) for name, tensor in flat.items()], constants
