"""What a runtime computes wrongly, or not at all, written in other operators that mean the same."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, external_data_helper, helper, numpy_helper

Written = tuple[list[NodeProto], list[TensorProto]]
Write = Callable[[NodeProto, str], Written | None]
"""A node and a name for what is new to the nodes and constants instead of it; None where it may stay."""


@contextlib.contextmanager
def rewritten_for_migraphx(graph: Path) -> Iterator[Path]:
    """The graph's file where MIGraphX takes it as it is, else a rewritten one that is there for the time of the block."""
    model = onnx.load(str(graph), load_external_data=False)
    if not (expand_prelu(model) | pad_apart(model)):
        yield graph
        return
    external_data_helper.load_external_data_for_model(model, str(graph.parent))
    with tempfile.TemporaryDirectory(prefix="triptych-") as folder:
        file = Path(folder) / graph.name
        onnx.save_model(model, str(file), save_as_external_data=True, location=f"{graph.name}.data")
        yield file


def expand_prelu(model: ModelProto) -> bool:
    """PRelu(x, slope) as relu(x) - slope * relu(-x), in place; whether there was one. MIGraphX is wrong on slopes per channel."""
    return _replace(model, "PRelu", _prelu)


def pad_apart(model: ModelProto) -> bool:
    """A convolution that pads its sides differently as a Pad and one that pads nothing, in place; whether there was one. MIGraphX takes
    equal paddings only."""
    return _replace(model, "Conv", _padded)


def _replace(model: ModelProto, operator: str, write: Write) -> bool:
    nodes: list[NodeProto] = []
    constants: list[TensorProto] = []
    for index, node in enumerate(model.graph.node):
        made = write(node, f"triptych::{operator}{index}") if node.op_type == operator else None
        nodes += made[0] if made else [node]
        constants += made[1] if made else []
    changed = len(nodes) != len(model.graph.node)
    if changed:
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(constants)
    return changed


def _prelu(node: NodeProto, name: str) -> Written:
    source, slope = node.input
    nodes = [
        helper.make_node("Relu", [source], [f"{name}.above"], f"{name}.0"),
        helper.make_node("Neg", [source], [f"{name}.negative"], f"{name}.1"),
        helper.make_node("Relu", [f"{name}.negative"], [f"{name}.below"], f"{name}.2"),
        helper.make_node("Mul", [f"{name}.below", slope], [f"{name}.sloped"], f"{name}.3"),
        helper.make_node("Sub", [f"{name}.above", f"{name}.sloped"], [node.output[0]], f"{name}.4"),
    ]
    return nodes, []


def _padded(node: NodeProto, name: str) -> Written | None:
    pads = next((list(attribute.ints) for attribute in node.attribute if attribute.name == "pads"), [])
    axes = len(pads) // 2
    if pads[:axes] == pads[axes:]:
        return None
    around = [0, 0, *pads[:axes], 0, 0, *pads[axes:]]  # batch and channels are not padded
    constant = numpy_helper.from_array(np.array(around, np.int64), f"{name}.pads")
    convolution = NodeProto()
    convolution.CopyFrom(node)
    convolution.input[0] = f"{name}.padded"
    for attribute in convolution.attribute:
        if attribute.name == "pads":
            attribute.ints[:] = [0] * len(pads)
    return [helper.make_node("Pad", [node.input[0], constant.name], [f"{name}.padded"], f"{name}.Pad"), convolution], [constant]
