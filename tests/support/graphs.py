"""Tiny graphs written by hand: nodes in, a model on disk out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

PICTURE = ("image", TensorProto.FLOAT, (1, 3, 32, 32))


def write_graph(
    path: Path,
    nodes: Sequence[NodeProto],
    *,
    weights: Mapping[str, NDArray[Any]] | None = None,
    inputs: Sequence[tuple[str, int, Sequence[int | str]]] = (PICTURE,),
    output: tuple[str, Sequence[int | str]] = ("embedding", (1, 8)),
    opset: int = 17,
) -> Path:
    """Write a graph of `nodes` with one float output; inputs are (name, TensorProto type, shape)."""
    held = [numpy_helper.from_array(np.array(value, order="C"), name) for name, value in (weights or {}).items()]
    given = [helper.make_tensor_value_info(*value) for value in inputs]
    made = helper.make_tensor_value_info(output[0], TensorProto.FLOAT, list(output[1]))
    graph = helper.make_graph(list(nodes), "test", given, [made], held)
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), str(path))
    return path


def patches(seed: int = 1) -> tuple[list[NodeProto], dict[str, NDArray[Any]]]:
    """Nodes and weights from `image` [B,3,32,32] to `pooled` [B,8,1,1]: a convolution, a nonlinearity and a mean."""
    weights = {"kernel": np.random.default_rng(seed).normal(0, 0.3, (8, 3, 8, 8)).astype(np.float32)}
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["features"], strides=[8, 8]),
        helper.make_node("Tanh", ["features"], ["bounded"]),
        helper.make_node("GlobalAveragePool", ["bounded"], ["pooled"]),
    ]
    return nodes, weights
