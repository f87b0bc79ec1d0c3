"""What a graph does with one picture or text: the shape of every tensor and the value of every one that no input reaches.

A graph with its inputs' shapes goes in, `AtOne` comes out. Shapes are those onnxruntime really gets, so no exporter's
missing annotation matters; large weights are replaced by zeros made on the spot, so a 5 GB model costs nothing here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from triptych_server.errors import ModelImportError
from triptych_server.models.sessions import open_session, reason

_LARGE = 4096  # elements; smaller weights are kept, they may be axes, shapes or indices
_SHAPE_OPS = frozenset({"Shape", "Size"})
_INTEGERS = frozenset({TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL})


class NotFoldableError(ModelImportError):
    """The graph has control flow or a tensor whose shape hangs on the data."""


@dataclass(frozen=True, slots=True)
class AtOne:
    """Facts of a run with batch 1: `shapes` of all tensors, `values` of those that are the same for every input."""

    shapes: Mapping[str, tuple[int, ...]]
    values: Mapping[str, NDArray[np.generic]]


def run_at_one(model: ModelProto, feeds: Mapping[str, NDArray[np.generic]]) -> AtOne:
    """Run `model` on `feeds` (batch 1, every input) and take down shapes and input-independent values.

    Raises NotFoldableError where the graph holds subgraphs or onnxruntime cannot run it.
    """
    graph = model.graph
    inner = next((node for node in graph.node if any(a.HasField("g") for a in node.attribute)), None)
    if inner is not None:
        raise NotFoldableError(f"the graph has control flow (a node {inner.op_type}), whose batch cannot be followed")
    types = _integer_tensors(model)
    fixed, from_shapes = _fixed(graph, set(feeds))
    wanted = {name for name in fixed if name in from_shapes or name in types}
    probe = _probe(model, keep=_ancestors(graph, wanted), show=sorted(wanted))
    outputs = [output.name for output in probe.graph.output]
    try:
        results = dict(zip(outputs, open_session(probe, optimise=False).run(outputs, dict(feeds)), strict=True))
    except Exception as error:  # onnxruntime has no common base class for its own errors
        raise NotFoldableError(f"onnxruntime cannot run the graph with batch 1: {reason(error)}") from error
    shapes = {name.removeprefix("shape::"): tuple(map(int, value)) for name, value in results.items() if name[:7] == "shape::"}
    shapes |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    shapes |= {name: np.shape(value) for name, value in feeds.items()}
    values = {name: results[name] for name in wanted}
    values |= {t.name: numpy_helper.to_array(t) for t in graph.initializer if np.prod(t.dims, dtype=int) <= _LARGE}
    return AtOne(shapes, values)


def _integer_tensors(model: ModelProto) -> set[str]:
    """Names of the int and bool tensors, by ONNX's own inference on a copy without weights."""
    bare = _probe(model, keep=set(), show=[])
    inferred = onnx.shape_inference.infer_shapes(bare).graph.value_info
    return {info.name for info in inferred if info.type.tensor_type.elem_type in _INTEGERS}


def _fixed(graph: GraphProto, inputs: set[str]) -> tuple[set[str], set[str]]:
    """(tensors whose value no input reaches, those of them that hang on a tensor's shape)."""
    moving, from_shapes, fixed = set(inputs), set[str](), set[str]()
    for node in graph.node:
        outputs = {name for name in node.output if name}
        is_shape = node.op_type in _SHAPE_OPS
        if not is_shape and any(name in moving for name in node.input):
            moving |= outputs
            continue
        fixed |= outputs
        if is_shape or any(name in from_shapes for name in node.input):
            from_shapes |= outputs
    return fixed, from_shapes


def _ancestors(graph: GraphProto, names: set[str]) -> set[str]:
    """`names` and all whose values they are computed from; behind a shape there are none."""
    found = set(names)
    for node in reversed(graph.node):
        if node.op_type not in _SHAPE_OPS and any(name in found for name in node.output):
            found.update(node.input)
    return found


def _probe(model: ModelProto, keep: set[str], show: list[str]) -> ModelProto:
    """The graph with zeros for large weights not in `keep`; outputs: the shape of each tensor and the tensors of `show`."""
    graph = model.graph
    nodes: list[NodeProto] = []
    weights: list[TensorProto] = []
    for tensor in graph.initializer:
        if tensor.name in keep or np.prod(tensor.dims, dtype=int) <= _LARGE:
            weights.append(tensor)
            continue
        dims = numpy_helper.from_array(np.array(tensor.dims, np.int64), f"dims::{tensor.name}")
        weights.append(dims)
        zero = helper.make_tensor("value", tensor.data_type, [1], [0])
        nodes.append(helper.make_node("ConstantOfShape", [dims.name], [tensor.name], value=zero))
    nodes += graph.node
    made = [name for node in graph.node for name in node.output if name]
    nodes += [helper.make_node("Shape", [name], [f"shape::{name}"]) for name in made]
    outputs = [onnx.ValueInfoProto(name=name) for name in [*(f"shape::{name}" for name in made), *show]]
    held = {tensor.name for tensor in graph.initializer}
    inputs = [i for i in graph.input if i.name not in held]
    probe = helper.make_graph(nodes, "probe", inputs, outputs, weights)
    return helper.make_model(probe, opset_imports=model.opset_import, ir_version=model.ir_version, functions=model.functions)
