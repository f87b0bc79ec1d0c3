"""Tiny graphs in the served form, for tests of sessions and backends: each writes itself to a file."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from tests.support.graphs import write_graph


def doubler(target: Path) -> Path:
    """x UINT8 [batch,4] -> y FP32 [batch,4], twice x."""
    nodes = [helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT), helper.make_node("Mul", ["f", "two"], ["y"])]
    inputs = [("x", TensorProto.UINT8, ["batch", 4])]
    return write_graph(target, nodes, weights={"two": np.float32([2])}, inputs=inputs, output=("y", ["batch", 4]))


def table(target: Path, rows: int = 4) -> Path:
    """index INT32 [batch,1] -> row FP32 [batch,1,2]; an index of `rows` or more makes the whole run fail."""
    values = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
    nodes = [helper.make_node("Gather", ["rows", "index"], ["row"], axis=0)]
    inputs = [("index", TensorProto.INT32, ["batch", 1])]
    return write_graph(target, nodes, weights={"rows": values}, inputs=inputs, output=("row", ["batch", 1, 2]))


def matmul(target: Path, size: int = 256) -> Path:
    """x FP32 [batch,size] -> y FP32 [batch,size] through random weights: bf16 and f32 differ visibly."""
    weights = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    inputs = [("x", TensorProto.FLOAT, ["batch", size])]
    return write_graph(target, nodes, weights={"w": weights}, inputs=inputs, output=("y", ["batch", size]))
