"""Makes a graph's batch dynamic: a tower that knows one picture (or text) goes in, one that takes any number comes out.

Exports traced with batch 1 hide it in literals: a Reshape to (1, 50, 768) or to (50, heads, 64), an Expand of the class token, an
index of rows. So the graph is read as what it does with *one* picture, everything that only hangs on shapes is made a constant,
and the batch is led from the input to the output node by node (batch_rules.py). Where a Reshape leaves several axes in which
the batch could go on, they are tried in turn.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from triptych_server.errors import ModelImportError
from triptych_server.models.at_one import run_at_one
from triptych_server.models.batch_axis import BATCH_VECTOR, BatchAxis, Plan, Step, rows_before
from triptych_server.models.batch_rules import RULES
from triptych_server.models.surgery import opset, prune, replace_nodes

_MAX_STEPS = 200_000  # far above what any real tower needs (a few per node), far below minutes
_SHAPE_CUTS = 15  # the opset from which Shape can cut


class BatchNotFoundError(ModelImportError):
    """The batch cannot be led through the graph."""


@dataclass(frozen=True, slots=True)
class Lead:
    """What the search found: a plan per node (None: the node does not see the batch), and where the output keeps it."""

    plans: list[Plan | None]
    output: BatchAxis


def make_batch_dynamic(model: ModelProto, feeds: Mapping[str, NDArray[np.generic]], output: str) -> int:
    """Rewrite `model` in place so that axis 0 of each of its inputs and of `output` [B, D] is a true batch; returns how many nodes changed.

    `feeds` are any inputs with batch 1. Dimensions other than the batch become fixed at those of `feeds`.
    Raises BatchNotFoundError (naming the node) or NotFoldableError; the model is then unchanged.
    """
    graph = model.graph
    at_one = run_at_one(model, feeds)
    constant = [node for node in graph.node if all(not name or name in at_one.values for name in node.output)]
    folded = {name for node in constant for name in node.output if name}
    nodes = [node for node in graph.node if not all(name in folded for name in node.output if name)]
    axes: dict[str, BatchAxis | None] = {name: BatchAxis(0) for name in feeds}
    steps = [Step(node, index, at_one, axes) for index, node in enumerate(nodes)]
    lead = _search(steps, axes, output)

    constants = [numpy_helper.from_array(np.asarray(at_one.values[name]), name) for name in sorted(folded)]
    rewritten: list[NodeProto] = _batch_vector(next(iter(feeds)), opset(model), constants)
    changed = 0
    for node, plan in zip(nodes, lead.plans, strict=True):
        rewritten += plan.nodes if plan else [node]
        constants += plan.constants if plan else []
        changed += plan is not None and plan.nodes != (node,)
    if lead.output != BatchAxis(0):
        changed += 1
        _end_with_batch_first(rewritten, constants, output, at_one.shapes[output][-1])
    replace_nodes(graph, rewritten, constants)
    del graph.value_info[:]
    prune(graph)
    for value in graph.input:
        if value.name in feeds:
            kind = value.type.tensor_type.elem_type
            value.CopyFrom(helper.make_tensor_value_info(value.name, kind, ["batch", *np.shape(feeds[value.name])[1:]]))
    return changed


def _search(steps: list[Step], axes: dict[str, BatchAxis | None], output: str) -> Lead:
    """Lead the batch through all steps, depth first; a step without a way sends the search back to the last open choice."""
    chosen: list[Plan | None] = []
    open_plans: list[list[Plan]] = []
    furthest, budget = 0, _MAX_STEPS
    while budget > 0:
        budget -= 1
        at = len(chosen)
        if at == len(steps):
            end = axes.get(output)
            if end is not None and rows_before(steps[0].shape(output), end) == 1:
                return Lead(chosen, end)
        else:
            furthest = max(furthest, at)
            step = steps[at]
            if not step.batched:
                _take(step, None, axes, chosen)
                open_plans.append([])
                continue
            plans = RULES.get(step.node.op_type, _no_rule)(step.fork())
            if plans:
                _take(step, plans[0], axes, chosen)
                open_plans.append(plans[1:])
                continue
        while chosen and not open_plans[-1]:
            chosen.pop()
            open_plans.pop()
        if not chosen:
            break
        chosen.pop()
        rest = open_plans.pop()
        _take(steps[len(chosen)], rest[0], axes, chosen)
        open_plans.append(rest[1:])
    raise BatchNotFoundError(_blame(steps[furthest]))


def _take(step: Step, plan: Plan | None, axes: dict[str, BatchAxis | None], chosen: list[Plan | None]) -> None:
    """Go on with `plan`. Later tensors may keep axes of an abandoned way; they are written again before they are read."""
    chosen.append(plan)
    for index, name in enumerate(step.node.output):
        axes[name] = plan.outputs[index] if plan and index < len(plan.outputs) else None


def _no_rule(step: Step) -> list[Plan]:
    return []


def _blame(step: Step) -> str:
    node = step.node
    shapes = ", ".join(str(list(step.shape(name))) for name in node.input if name)
    known = "mixes pictures, or hides the batch in a way that is" if node.op_type in RULES else "is an operator whose batch rule is"
    return f"the batch was followed up to node {node.name or '(unnamed)'!r}: {node.op_type} on {shapes} {known} not known"


def _batch_vector(source: str, version: int, constants: list[TensorProto]) -> list[NodeProto]:
    """Nodes that give the batch as int64 [1]; pruned later where nothing asks for it."""
    if version >= _SHAPE_CUTS:
        return [helper.make_node("Shape", [source], [BATCH_VECTOR], start=0, end=1)]
    first = numpy_helper.from_array(np.zeros(1, np.int64), f"{BATCH_VECTOR}::first")
    constants.append(first)
    sizes = f"{BATCH_VECTOR}::sizes"
    return [helper.make_node("Shape", [source], [sizes]), helper.make_node("Gather", [sizes, first.name], [BATCH_VECTOR])]


def _end_with_batch_first(nodes: list[NodeProto], constants: list[TensorProto], output: str, dim: int) -> None:
    """Give the output the shape [batch, dim]; its rows lie in this order already."""
    inside = f"{output}::rows"
    for node in nodes:
        for names in (node.input, node.output):
            names[:] = [inside if name == output else name for name in names]
    shape = numpy_helper.from_array(np.array([-1, dim], np.int64), f"{output}::shape")
    constants.append(shape)
    nodes.append(helper.make_node("Reshape", [inside, shape.name], [output]))
