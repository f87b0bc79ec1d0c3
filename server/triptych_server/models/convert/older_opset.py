"""A graph of a new opset under an older one, for compilers that know no newer: changed in place."""

import math

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

from triptych_server.errors import ConversionError
from triptych_server.models import surgery
from triptych_server.models.sessions import reason

_IR_VERSION = 10  # goes with every opset up to 22


def lower_opset(model: ModelProto, version: int) -> None:
    """Write out what came after `version` (17 or later); the other operators only learnt to take more types. ONNX's own checker has the
    last word: ConversionError for what does not exist in `version`.
    """
    given = surgery.opset(model)
    if given <= version:
        return
    _write_out_gelu(model)
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = version
    model.ir_version = min(model.ir_version, _IR_VERSION)
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # the checker and the inference have no common base class
        raise ConversionError(f"the graph has opset {given} and cannot be brought to {version}: {reason(error)}") from error


def _write_out_gelu(model: ModelProto) -> None:
    """x / 2 * (1 + erf(x / sqrt 2)), in the form that PyTorch's exporter gave it before opset 20; compilers know it again by that."""
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        if node.op_type != "Gelu" or any(attribute.s not in (b"", b"none") for attribute in node.attribute):
            nodes.append(node)
            continue
        source, target = node.input[0], node.output[0]
        inner = [f"{target}::{step}" for step in ("scaled", "erf", "moved", "product")]
        steps = (
            ("Div", [source, "gelu::root"], inner[0]), ("Erf", [inner[0]], inner[1]), ("Add", [inner[1], "gelu::one"], inner[2]),
            ("Mul", [source, inner[2]], inner[3]), ("Mul", [inner[3], "gelu::half"], target),
        )  # fmt: skip
        nodes += [helper.make_node(op, inputs, [output], f"{output}::{op}") for op, inputs, output in steps]
    numbers = {"gelu::root": math.sqrt(2), "gelu::one": 1.0, "gelu::half": 0.5}
    constants = [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in numbers.items()]
    surgery.replace_nodes(model.graph, nodes, constants)
    surgery.prune(model.graph)
