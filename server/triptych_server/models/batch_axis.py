"""Where a tensor keeps its batch, and what a rule may say of a node: an axis in, a plan for the node out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from triptych_server.models.at_one import AtOne

BATCH_VECTOR = "triptych::batch"  # int64 [1], the number of pictures or texts
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BatchAxis:
    """Axis `axis` counts outer x batch x inner, row by row; both are 1 where the batch has the axis for itself."""

    axis: int
    outer: int = 1
    inner: int = 1

    @property
    def plain(self) -> bool:
        """The axis is the batch and nothing else."""
        return self.outer == self.inner == 1

    def moved(self, axis: int) -> "BatchAxis":
        """The same batch in another axis."""
        return BatchAxis(axis, self.outer, self.inner)


@dataclass(frozen=True, slots=True)
class Plan:
    """One way to carry the batch through a node: the axes of its outputs, and the nodes and constants that take its place."""

    outputs: tuple[BatchAxis | None, ...]
    nodes: tuple[NodeProto, ...]
    constants: tuple[TensorProto, ...] = ()


@dataclass(slots=True)
class Step:
    """A node with what is known of its tensors. Shapes are those with batch 1; an axis of None: the same for every picture."""

    node: NodeProto
    index: int
    at_one: AtOne
    axes: Mapping[str, BatchAxis | None]
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def shape(self, name: str) -> Shape:
        """The tensor's shape with batch 1."""
        return self.at_one.shapes[name]

    def axis(self, name: str) -> BatchAxis | None:
        """Where the tensor keeps the batch."""
        return self.axes.get(name)

    def value(self, position: int) -> NDArray[np.generic] | None:
        """The value of the node's input at `position`, if no picture or text reaches it and it is small."""
        name = self.input(position)
        return self.at_one.values.get(name) if name and self.axis(name) is None else None

    def input(self, position: int) -> str:
        """The name of the input at `position`, '' where it is not given."""
        return self.node.input[position] if position < len(self.node.input) else ""

    @property
    def batched(self) -> list[tuple[str, BatchAxis]]:
        """The inputs that carry the batch."""
        return [(name, axis) for name in self.node.input if (axis := self.axis(name)) is not None]

    def attribute(self, name: str, default: Any = None) -> Any:
        """The node's attribute, or `default`."""
        found = next((a for a in self.node.attribute if a.name == name), None)
        return default if found is None else helper.get_attribute_value(found)

    def keep(self, axis: BatchAxis | None) -> list[Plan]:
        """The node as it is; every output keeps the batch in `axis`."""
        return [Plan(tuple(axis for _ in self.node.output), (self.node,))]

    def ints(self, values: Sequence[int]) -> str:
        """A new int64 constant [n]; its name."""
        return self.constant(np.array(values, np.int64))

    def constant(self, values: NDArray[Any]) -> str:
        """A new constant; its name."""
        name = f"triptych::{self.index}.{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def add(self, op: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """A new node in this one's place; its output's name (a fresh one unless given)."""
        name = output or f"triptych::{self.index}:{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], f"{self.node.name}::{self.index}:{len(self.nodes)}", **attributes))
        return name

    def plan(self, *outputs: BatchAxis | None) -> Plan:
        """What was added so far, as a plan."""
        return Plan(outputs, tuple(self.nodes), tuple(self.constants))

    def fork(self) -> "Step":
        """A copy to go on from in another way."""
        return Step(self.node, self.index, self.at_one, self.axes, list(self.nodes), list(self.constants))

    def reshaped(self, source: str, before: int) -> list[Plan]:
        """Plans that reshape `source` to the node's output; `before`: how many elements its batch runs after, row by row."""
        plans = []
        for axis in homes(self.shape(self.node.output[0]), before):
            step = self.fork()
            target = list(self.shape(self.node.output[0]))
            target[axis.axis] = -1
            step.add("Reshape", [source, step.ints(target)], self.node.output[0])
            plans.append(step.plan(axis))
        return plans

    def batch_first(self, name: str, shape: Sequence[int]) -> str:
        """A tensor [batch, *shape] with the elements of `name`, picture by picture; `shape` holds those of one picture."""
        axis = self.axis(name)
        assert axis is not None  # callers ask only for batched tensors
        before = rows_before(self.shape(name), axis)
        if before > 1:
            split = self.add("Reshape", [name, self.ints([before, -1, prod(shape) // before])])
            name = self.add("Transpose", [split], perm=[1, 0, 2])
        return self.add("Reshape", [name, self.ints([-1, *shape])])


def rows_before(shape: Shape, axis: BatchAxis) -> int:
    """How many rows lie outside the batch: the product of the dimensions before it."""
    return prod(shape[: axis.axis]) * axis.outer


def homes(shape: Shape, before: int) -> Iterator[BatchAxis]:
    """The axes of `shape` in which a batch that runs after `before` rows can live, the likeliest first."""
    found = []
    for axis, size in enumerate(shape):
        outside = prod(shape[:axis])
        if outside and before % outside == 0 and (outer := before // outside) and size % outer == 0:
            found.append(BatchAxis(axis, outer, size // outer))
    # An axis of its own is likeliest, then one shared with heads; features merged with the batch are what no graph wants.
    yield from sorted(found, key=lambda home: (not home.plain, home.outer > 1, home.inner))
