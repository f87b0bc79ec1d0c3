"""A network written with what Arm NN takes: no permutation of more than four axes, no gathering of one slice, no pooling that pads,
no convolution in groups but the one of each channel by itself.

Each function changes a graph in place and answers the same; where its pattern is not there, nothing is changed. Shapes must be known.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from triptych_server.models import surgery
from triptych_server.models.batch_axis import Shape

MOST_AXES = 4  # of a TRANSPOSE in Arm NN
_NOT_NEGATIVE = frozenset({"Relu", "Sigmoid", "Softmax", "HardSigmoid"})


def rewrite_for_armnn(model: ModelProto) -> None:
    """All of them."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
    }
    fold_transposes(model.graph, shapes)
    slice_for_gather(model.graph, shapes)
    pad_before_pooling(model.graph)
    join_groups(model.graph)
    del model.graph.value_info[:]


def fold_transposes(graph: GraphProto, shapes: Mapping[str, Shape]) -> None:
    """Leave axes of one out of permutations of more than four axes, and take axes that stay neighbours as one."""
    rewriting = _Rewriting()
    for node in graph.node:
        source, target = node.input[0] if node.input else "", node.output[0]
        if node.op_type != "Transpose" or len(shapes.get(source, ())) <= MOST_AXES:
            rewriting.nodes.append(node)
            continue
        small, order = _folded(shapes[source], _attribute(node, "perm") or range(len(shapes[source]))[::-1])
        if len(small) > MOST_AXES:
            rewriting.nodes.append(node)
            continue
        folded, moved = f"{target}::folded", f"{target}::moved"
        rewriting.reshape(source, folded, small)
        rewriting.add("Transpose", [folded], moved, perm=order)
        rewriting.reshape(moved, target, shapes[target])
    rewriting.apply(graph)


def slice_for_gather(graph: GraphProto, shapes: Mapping[str, Shape]) -> None:
    """Cut out what a Gather with one constant index picks, as the query, key and value of attention."""
    rewriting, constants = _Rewriting(), _constants(graph)
    for node in graph.node:
        index = constants.get(node.input[1]) if node.op_type == "Gather" else None
        if index is None or index.ndim or not shapes.get(node.input[0]):
            rewriting.nodes.append(node)
            continue
        source, target, shape = node.input[0], node.output[0], shapes[node.input[0]]
        axis = _number(node, "axis", 0) % len(shape)
        at = int(index) % shape[axis]
        flat, picked = f"{target}::flat", f"{target}::picked"
        rewriting.reshape(source, flat, (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])))
        bounds = [rewriting.constant(f"{target}::{name}", [value]) for name, value in (("from", at), ("to", at + 1), ("axis", 1))]
        rewriting.add("Slice", [flat, *bounds], picked)
        rewriting.reshape(picked, target, (*shape[:axis], *shape[axis + 1 :]))
    rewriting.apply(graph)


def pad_before_pooling(graph: GraphProto) -> None:
    """Pad with zeros before the largest of what is never negative is taken: LiteRT pads with minus infinity else, by an operator that
    older releases of Arm NN do not have."""
    rewriting, makers = _Rewriting(), {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        pads = _attribute(node, "pads") if node.op_type == "MaxPool" else []
        maker = makers.get(node.input[0]) if node.input else None
        if not any(pads) or maker is None or maker.op_type not in _NOT_NEGATIVE:
            rewriting.nodes.append(node)
            continue
        target, half = node.output[0], len(pads) // 2
        padded = f"{target}::padded"
        widths = rewriting.constant(f"{target}::pads", [0, 0, *pads[:half], 0, 0, *pads[half:]])
        rewriting.add("Pad", [node.input[0], widths], padded)
        kept = {item.name: helper.get_attribute_value(item) for item in node.attribute if item.name != "pads"}
        rewriting.add("MaxPool", [padded], target, **kept)
    rewriting.apply(graph)


def join_groups(graph: GraphProto) -> None:
    """Let convolutions in groups see all channels, with zeros for those of other groups: Arm NN takes them for plain ones, and answers
    something else without a word. One filter for each channel is an operator of its own there, and stays."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    rewriting = _Rewriting()
    for node in graph.node:
        groups = _number(node, "group", 1) if node.op_type == "Conv" else 1
        held = weights.get(node.input[1]) if groups > 1 else None
        if held is None or tuple(held.dims[:2]) == (groups, 1):
            rewriting.nodes.append(node)
            continue
        kernel = numpy_helper.to_array(held)
        made, inside = kernel.shape[0] // groups, kernel.shape[1]
        joined = np.zeros((kernel.shape[0], inside * groups, *kernel.shape[2:]), kernel.dtype)
        for group in range(groups):
            rows = slice(group * made, (group + 1) * made)
            joined[rows, group * inside : (group + 1) * inside] = kernel[rows]
        inputs = [node.input[0], rewriting.weight(f"{node.output[0]}::joined", joined), *node.input[2:]]
        kept = {item.name: helper.get_attribute_value(item) for item in node.attribute if item.name != "group"}
        rewriting.add("Conv", inputs, node.output[0], **kept)
    rewriting.apply(graph)


class _Rewriting:
    """The nodes of a graph to be, and the constants that come with them."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def constant(self, name: str, values: Sequence[int]) -> str:
        return self.weight(name, np.array(values, np.int64))

    def weight(self, name: str, values: NDArray[Any]) -> str:
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(op, inputs, [output], f"{output}::{op}", **attributes))

    def reshape(self, source: str, target: str, shape: Sequence[int]) -> None:
        sizes = self.constant(f"{target}::shape", shape)
        self.add("Reshape", [source, sizes], target)

    def apply(self, graph: GraphProto) -> None:
        if self._constants:
            surgery.replace_nodes(graph, self.nodes, self._constants)


def _folded(shape: Shape, perm: Sequence[int]) -> tuple[list[int], list[int]]:
    """The shape and the permutation of the same move with the fewest axes."""
    kept = [axis for axis in perm if shape[axis] != 1]
    runs = [kept[:1]]
    axes = [axis for axis in range(len(shape)) if shape[axis] != 1]
    neighbours = set(pairwise(axes))
    for before, axis in pairwise(kept):
        if (before, axis) in neighbours:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    by_place = sorted(range(len(runs)), key=lambda run: runs[run][:1])
    small = [math.prod(shape[axis] for axis in runs[run]) for run in by_place]
    return small, [by_place.index(run) for run in range(len(runs))]


def _constants(graph: GraphProto) -> dict[str, NDArray[np.generic]]:
    """Small whole numbers that stand in the graph."""
    found = {tensor.name: tensor for tensor in graph.initializer if not tensor.dims}
    nodes = [(node.output[0], node.attribute[0]) for node in graph.node if node.op_type == "Constant"]
    found |= {name: item.t for name, item in nodes if item.name == "value" and not item.t.dims}
    return {name: numpy_helper.to_array(tensor) for name, tensor in found.items()}


def _number(node: NodeProto, name: str, default: int) -> int:
    return next((int(item.i) for item in node.attribute if item.name == name), default)


def _attribute(node: NodeProto, name: str) -> list[int]:
    return next((list(item.ints) for item in node.attribute if item.name == name), [])
