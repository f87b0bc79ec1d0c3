"""Writes ONNX graphs with seeded random weights, node by node: the base of the benchmark's networks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

F32 = onnx.TensorProto.FLOAT
I32 = onnx.TensorProto.INT32
I64 = onnx.TensorProto.INT64


@dataclass(slots=True)
class GraphBuilder:
    """Collects nodes and weights; every method returns the name of the tensor it made."""

    random: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Append one node with a single output."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def named(self, kind: str, output: str, *inputs: str, **attributes: Any) -> None:
        """Append a node whose output is one of the graph's own."""
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=f"{kind}_{output}", **attributes))

    def constant(self, array: npt.NDArray[Any]) -> str:
        """Add an initializer."""
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def ints(self, *values: int) -> str:
        """Add a 1-D int64 initializer, for shapes and indices."""
        return self.constant(np.array(values, dtype=np.int64))

    def normal(self, *shape: int, scale: float, mean: float = 0.0) -> str:
        """Add float32 weights drawn from N(mean, scale)."""
        return self.constant(self.random.standard_normal(shape, dtype=np.float32) * np.float32(scale) + np.float32(mean))

    def model(self, graph: str, source: onnx.ValueInfoProto, outputs: Sequence[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """Close the graph and check it."""
        proto = helper.make_graph(self.nodes, graph, [source], list(outputs), self.weights)
        model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model)
        return model
