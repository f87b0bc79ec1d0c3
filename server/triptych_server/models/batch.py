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
from triptych_server.models.batch_axis import BATCH_VECTOR, BatchAxis, Plan, Shape, Step, rows_before
from triptych_server.models.batch_rules import RULES
from triptych_server.models.surgery import opset, prune, replace_nodes

_MAX_STEPS = 200_000  # far above what any real tower needs (a few per node), far below minutes
_SHAPE_CUTS = 15  # the opset from which Shape can cut


class BatchNotFoundError(ModelImportError):
    """The batch cannot be led through the graph."""


@dataclass(frozen=True, slots=True)
class Lead:
    """What the search found: a plan per node (None: the node does not see the batch), and where each output keeps it."""

    plans: list[Plan | None]
    outputs: Mapping[str, BatchAxis]


def make_batch_dynamic(model: ModelProto, feeds: Mapping[str, NDArray[np.generic]], outputs: Mapping[str, Shape]) -> int:
    """Rewrite `model` in place so that axis 0 of its inputs and of `outputs` is a true batch; returns how many nodes changed.

    `feeds` are any inputs with batch 1. `outputs` gives the shape of each output for one picture: {name: (D,)} becomes [B, D],
    whether the original gives it as [1, D] or, rows of a map with the batch flattened into them, as D's own shape.
    Dimensions other than the batch become fixed at those of `feeds`.
    Raises BatchNotFoundError (naming the node) or NotFoldableError; the model is then unchanged.
    """
    graph = model.graph
    at_one = run_at_one(model, feeds)
    constant = [node for node in graph.node if all(not name or name in at_one.values for name in node.output)]
    folded = {name for node in constant for name in node.output if name}
    nodes = [node for node in graph.node if not all(name in folded for name in node.output if name)]
    axes: dict[str, BatchAxis | None] = {name: BatchAxis(0) for name in feeds}
    steps = [Step(node, index, at_one, axes) for index, node in enumerate(nodes)]
    lead = _search(steps, axes, tuple(outputs))

    constants = [numpy_helper.from_array(np.asarray(at_one.values[name]), name) for name in sorted(folded)]
    rewritten: list[NodeProto] = _batch_vector(next(iter(feeds)), opset(model), constants)
    changed = 0
    for node, plan in zip(nodes, lead.plans, strict=True):
        rewritten += plan.nodes if plan else [node]
        constants += plan.constants if plan else []
        changed += plan is not None and plan.nodes != (node,)
    for name, shape in outputs.items():
        if lead.outputs[name] != BatchAxis(0) or at_one.shapes[name] != (1, *shape):
            changed += 1
            _end_with_batch_first(rewritten, constants, name, shape)
    replace_nodes(graph, rewritten, constants)
    del graph.value_info[:]
    prune(graph)
    for value in graph.input:
        if value.name in feeds:
            kind = value.type.tensor_type.elem_type
            value.CopyFrom(helper.make_tensor_value_info(value.name, kind, ["batch", *np.shape(feeds[value.name])[1:]]))
    return changed


def _search(steps: list[Step], axes: dict[str, BatchAxis | None], outputs: tuple[str, ...]) -> Lead:
    """Lead the batch through all steps, depth first; a step without a way sends the search back to the last open choice.

    A way is one that leaves the batch outermost in every output: this is asked where an output is made, not at the end,
    or a wrong turn before the first of nine heads would be tried with every turn of the other eight.
    """
    chosen: list[Plan | None] = []
    open_plans: list[list[Plan]] = []
    furthest, budget = 0, _MAX_STEPS
    while budget > 0:
        budget -= 1
        at = len(chosen)
        if at == len(steps):
            ends = {name: axis for name in outputs if (axis := axes.get(name)) is not None}
            if len(ends) == len(outputs):
                return Lead(chosen, ends)
        else:
            furthest = max(furthest, at)
            step = steps[at]
            if not step.batched:
                _take(step, None, axes, chosen)
                open_plans.append([])
                continue
            plans = [plan for plan in RULES.get(step.node.op_type, _no_rule)(step.fork()) if _ends_well(step, plan, outputs)]
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


def _ends_well(step: Step, plan: Plan, outputs: tuple[str, ...]) -> bool:
    """Whether a plan keeps the batch outermost in those of the graph's outputs that its node makes."""
    made = zip(step.node.output, plan.outputs, strict=False)  # a rule may leave out outputs that do not count
    return all(axis is not None and rows_before(step.shape(name), axis) == 1 for name, axis in made if name in outputs)


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


def _end_with_batch_first(nodes: list[NodeProto], constants: list[TensorProto], output: str, shape: Shape) -> None:
    """Give the output the shape [batch, *shape]; its elements lie in this order already."""
    inside = f"{output}::rows"
    for node in nodes:
        for names in (node.input, node.output):
            names[:] = [inside if name == output else name for name in names]
    target = numpy_helper.from_array(np.array([-1, *shape], np.int64), f"{output}::shape")
    constants.append(target)
    nodes.append(helper.make_node("Reshape", [inside, target.name], [output]))
