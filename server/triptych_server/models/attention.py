"""Writes ONNX's fused Attention (opset 23) out as the products and the softmax that it stands for.

Runtimes disagree on the young operator: TensorRT computes it wrongly for a single query row (seen by others with 10.13 to 11.1),
converters for Rockchip's and Arm's runtimes do not know it. Those that have a kernel for it find the pattern again by themselves.
"""

import math
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from triptych_server.models.surgery import replace_nodes

_PLAIN_INPUTS = 4  # query, key, value, mask; what follows is a cache of keys and values


def decompose_attention(model: ModelProto) -> int:
    """Replace, in place, each Attention of queries, keys and values [B,L,heads*size] of a float32 graph without a cache, causal or
    not, with or without a mask; returns how many. Others stay: whoever imports a graph compares its answers."""
    nodes: list[NodeProto] = []
    constants: list[TensorProto] = []
    if any(tensor.data_type in (TensorProto.FLOAT16, TensorProto.BFLOAT16) for tensor in model.graph.initializer):
        return 0  # the constants below are float32
    floats = {tensor.name for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT}
    count = 0
    for node in model.graph.node:
        if node.op_type == "Attention" and node.domain in ("", "ai.onnx") and _is_plain(node, floats):
            made, needed = _written_out(node, f"triptych::attention{count}")
            nodes += made
            constants += needed
            count += 1
        else:
            nodes.append(node)
    if count:
        replace_nodes(model.graph, nodes, constants)
    return count


def _attributes(node: NodeProto) -> dict[str, float]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _is_plain(node: NodeProto, floats: set[str]) -> bool:
    given = _attributes(node)
    heads = given.pop("q_num_heads", 0)
    given.pop("scale", None)
    given.pop("is_causal", None)
    alike = heads > 0 and given.pop("kv_num_heads", 0) == heads
    mask = node.input[3] if len(node.input) > 3 else ""
    cache = any(node.input[_PLAIN_INPUTS:]) or any(node.output[1:])
    return alike and not cache and (not mask or mask in floats) and not any(given.values())


def _written_out(node: NodeProto, name: str) -> tuple[list[NodeProto], list[TensorProto]]:
    """softmax(q @ k^T / sqrt(size) + mask) @ v, per head."""
    given = _attributes(node)
    heads = int(given["q_num_heads"])
    constants = {
        "heads": np.array([0, 0, heads, -1], np.int64),  # 0: as it is
        "rows": np.array([0, 0, -1], np.int64),
    }
    nodes: list[NodeProto] = []

    def add(op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [output], f"{name}.{len(nodes)}", **attributes))
        return output

    def per_head(source: str, part: str, axes: list[int]) -> str:
        return add("Transpose", [add("Reshape", [source, f"{name}.heads"], f"{name}.{part}_rows")], f"{name}.{part}", perm=axes)

    query, key, value = (
        per_head(source, part, axes)
        for source, part, axes in zip(node.input[:3], "qkv", ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
    )
    scores = add("MatMul", [query, key], f"{name}.products")
    if "scale" in given:
        constants["scale"] = np.array(given["scale"], np.float32)
        scores = add("Mul", [scores, f"{name}.scale"], f"{name}.scores")
    else:  # 1 / sqrt(size), from the tensor itself
        size = add("Cast", [add("Shape", [query], f"{name}.size", start=3, end=4)], f"{name}.float_size", to=TensorProto.FLOAT)
        scores = add("Div", [scores, add("Sqrt", [size], f"{name}.root")], f"{name}.scores")
    if len(node.input) > 3 and node.input[3]:
        scores = add("Add", [scores, node.input[3]], f"{name}.masked")
    if given.get("is_causal"):  # what lies above the diagonal is the future
        shape = add("Shape", [scores], f"{name}.shape", start=2)
        nothing = numpy_helper.from_array(np.array([-math.inf], np.float32))
        future = add("Trilu", [add("ConstantOfShape", [shape], f"{name}.nothing", value=nothing), f"{name}.one"], f"{name}.future", upper=1)
        constants["one"] = np.array(1, np.int64)
        scores = add("Add", [scores, future], f"{name}.causal")
    weights = add("Softmax", [scores], f"{name}.weights", axis=-1)
    answers = add("Transpose", [add("MatMul", [weights, value], f"{name}.answers")], f"{name}.answer_rows", perm=[0, 2, 1, 3])
    add("Reshape", [answers, f"{name}.rows"], node.output[0])
    return nodes, [numpy_helper.from_array(array, f"{name}.{part}") for part, array in constants.items()]
