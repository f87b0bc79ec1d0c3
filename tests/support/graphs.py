"""Tiny ONNX graphs for tests of sessions and backends."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save(target: Path, nodes: list[onnx.NodeProto], inputs: list, outputs: list, constants: dict[str, np.ndarray]) -> Path:
    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "test", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, target)
    return target


def doubler(target: Path) -> Path:
    """x UINT8 [batch,4] -> y FP32 [batch,4], twice x."""
    return save(
        target,
        [helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT), helper.make_node("Mul", ["f", "two"], ["y"])],
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
        {"two": np.float32([2])},
    )


def table(target: Path, rows: int = 4) -> Path:
    """index INT32 [batch,1] -> row FP32 [batch,1,2]; an index of `rows` or more makes the whole run fail."""
    return save(
        target,
        [helper.make_node("Gather", ["rows", "index"], ["row"], axis=0)],
        [helper.make_tensor_value_info("index", TensorProto.INT32, ["batch", 1])],
        [helper.make_tensor_value_info("row", TensorProto.FLOAT, ["batch", 1, 2])],
        {"rows": np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)},
    )


def matmul(target: Path, size: int = 256) -> Path:
    """x FP32 [batch,size] -> y FP32 [batch,size] through random weights: bf16 and f32 differ visibly."""
    weights = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    return save(
        target,
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", size])],
        {"w": weights},
    )
