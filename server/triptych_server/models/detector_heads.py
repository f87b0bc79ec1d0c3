"""Which output of a detector is what: the shapes of one run in, `Heads` out; and its maps made to keep the batch first."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto

from triptych_server.models.face_layouts import DETECTOR_SIZE, refuse_detector

STRIDES = (8, 16, 32)
CELLS = tuple((DETECTOR_SIZE // stride) ** 2 for stride in STRIDES)
SCORES, BOXES, LANDMARKS = 1, 4, 10  # channels: a probability, four distances, five points

_KEEP_ORDER = frozenset({"Cast", "Identity", "Reshape", "Sigmoid"})
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Heads:
    """Names of the outputs, each kind from the finest stride to the coarsest, and how many anchors share a cell."""

    scores: tuple[str, ...]
    boxes: tuple[str, ...]
    landmarks: tuple[str, ...]
    per_cell: int

    @property
    def names(self) -> tuple[str, ...]:
        """All nine."""
        return (*self.scores, *self.boxes, *self.landmarks)

    @property
    def anchors(self) -> int:
        """In one picture."""
        return sum(CELLS) * self.per_cell

    def shapes(self) -> Shapes:
        """Of each output for one picture: (rows, channels)."""
        kinds = ((self.scores, SCORES), (self.boxes, BOXES), (self.landmarks, LANDMARKS))
        return {name: (cells * self.per_cell, channels) for names, channels in kinds for name, cells in zip(names, CELLS, strict=True)}

    def renamed(self, names: Mapping[str, str]) -> "Heads":
        """The same under other names."""
        scores, boxes, landmarks = (tuple(names[n] for n in kind) for kind in (self.scores, self.boxes, self.landmarks))
        return Heads(scores, boxes, landmarks, self.per_cell)


def find_heads(graph: GraphProto, shapes: Shapes) -> Heads:
    """Tell the outputs apart, in whatever order and by whatever names, from their shapes in a run with one picture of 640 pixels:
    [rows, channels] or [1, rows, channels], with rows = cells of a stride x anchors of a cell. Raises ModelImportError.
    """
    found = {channels: _by_rows(shapes, channels) for channels in (SCORES, BOXES, LANDMARKS)}
    rows = [tuple(rows for rows, _ in heads) for heads in found.values()]
    per_cell = rows[0][0] // CELLS[0] if rows[0] else 0
    if per_cell == 0 or any(kind != tuple(cells * per_cell for cells in CELLS) for kind in rows):
        shown = ", ".join(f"`{name}` {list(shape)}" for name, shape in shapes.items())
        raise refuse_detector(
            graph,
            f"for a picture of {DETECTOR_SIZE} pixels three outputs each of 1, 4 and 10 channels, with one row for each anchor "
            f"({', '.join(map(str, CELLS))} cells); a run gave {shown}",
        )
    scores, boxes, landmarks = (tuple(name for _, name in found[channels]) for channels in (SCORES, BOXES, LANDMARKS))
    return Heads(scores, boxes, landmarks, per_cell)


def _by_rows(shapes: Shapes, channels: int) -> list[tuple[int, str]]:
    """(rows, name) of the outputs with so many channels, most rows first."""
    flat = {name: shape[1:] if len(shape) == 3 and shape[0] == 1 else shape for name, shape in shapes.items()}
    return sorted(((shape[0], name) for name, shape in flat.items() if len(shape) == 2 and shape[1] == channels), reverse=True)


def rows_of(output: NDArray[np.generic]) -> NDArray[np.float32]:
    """One picture's output as float32 [rows, channels]."""
    return output.reshape(output.shape[-2:]).astype(np.float32)


def put_batch_first(graph: GraphProto, outputs: tuple[str, ...], shapes: Shapes) -> None:
    """Exporters of SCRFD flatten [B,C,H,W] maps as [H,W,B,C], which puts the batch inside the rows. For one picture [B,H,W,C] has the
    same elements in the same order, so the Transpose is changed where nothing but order-keeping nodes lies between it and an output.

    `shapes` are those of a run with one picture: only an axis of size 1 may move.
    """
    makers = {name: node for node in graph.node for name in node.output}
    uses = Counter(name for node in graph.node for name in node.input)
    for output in outputs:
        node = makers.get(output)
        while node is not None and node.op_type in _KEEP_ORDER and uses[node.input[0]] == 1:
            node = makers.get(node.input[0])
        if node is None or node.op_type != "Transpose" or shapes[node.input[0]][0] != 1:
            continue
        order = next((attribute.ints for attribute in node.attribute if attribute.name == "perm"), None)
        if order is not None:
            order[:] = [0, *(axis for axis in order if axis != 0)]
