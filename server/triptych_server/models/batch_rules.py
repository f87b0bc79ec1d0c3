"""How each operator carries the batch: a step in, the plans that are right for it out (none where there is no way).

A plan is right when, for any batch, the node gives for each picture what it gives for this picture alone. So whatever the
search accepts is correct, and a graph that mixes pictures is refused.
"""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from onnx import NodeProto

from triptych_server.models.batch_axis import BATCH_VECTOR, BatchAxis, Plan, Step, rows_before

Rule = Callable[[Step], list[Plan]]
_END = np.iinfo(np.int64).max


def _elementwise(step: Step) -> list[Plan]:
    out = step.shape(step.node.output[0])
    homes = {axis.moved(axis.axis + len(out) - len(step.shape(name))) for name, axis in step.batched}
    if len(homes) != 1:
        return []
    home = homes.pop()
    if out[home.axis] != home.outer * home.inner:
        return []  # something else is broadcast along the batch
    names = list(step.node.input)
    for index, name in enumerate(names):
        place = home.axis - (len(out) - len(step.shape(name))) if name else -1
        if place < 0 or step.axis(name) is not None or step.shape(name)[place] == 1:
            continue
        if home.outer > 1 or home.inner == 1:
            return []
        # A constant for each head, the same for every picture: it is repeated, e.g. the query of SigLIP's attention pool.
        names[index] = step.add("Tile", [name, _per_picture(step, [1] * len(step.shape(name)), place)])
    if names == list(step.node.input):
        return step.keep(home)
    node = NodeProto()
    node.CopyFrom(step.node)
    node.input[:] = names
    step.nodes.append(node)
    return [step.plan(*(home for _ in node.output))]


def _reshape(step: Step) -> list[Plan]:
    name = step.node.input[0]
    axis = step.axis(name)
    if axis is None:
        return []
    return step.reshaped(name, rows_before(step.shape(name), axis))


def _unsqueeze(step: Step) -> list[Plan]:
    axis, new = step.axis(step.node.input[0]), _axes(step, len(step.shape(step.node.output[0])))
    if axis is None or new is None:
        return []
    old = [i for i in range(len(step.shape(step.node.output[0]))) if i not in new]
    return step.keep(axis.moved(old[axis.axis]))


def _squeeze(step: Step) -> list[Plan]:
    axis, gone = step.axis(step.node.input[0]), _axes(step, len(step.shape(step.node.input[0])))
    if axis is None or gone is None or axis.axis in gone:
        return _reshape(step)  # the batch is squeezed away, so it has to move in with another axis
    return step.keep(axis.moved(axis.axis - sum(i < axis.axis for i in gone)))


def _transpose(step: Step) -> list[Plan]:
    [(name, axis)] = step.batched
    order = step.attribute("perm") or range(len(step.shape(name)))[::-1]
    return step.keep(axis.moved(list(order).index(axis.axis)))


def _concat(step: Step) -> list[Plan]:
    homes = {axis for _, axis in step.batched}
    rank = len(step.shape(step.node.output[0]))
    if len(homes) != 1:
        return []
    home = homes.pop()
    if home.axis == step.attribute("axis") % rank:
        return []
    if any(step.axis(name) is None for name in step.node.input) and not home.plain:
        return []
    names = [name if step.axis(name) else _expanded(step, name, home.axis) for name in step.node.input]
    step.add("Concat", names, step.node.output[0], axis=step.attribute("axis"))
    return [step.plan(home)]


def _expanded(step: Step, name: str, axis: int) -> str:
    """A constant repeated along `axis` (of size 1) for every picture, e.g. the class token."""
    return step.add("Expand", [name, _per_picture(step, step.shape(name), axis)])


def _per_picture(step: Step, sizes: Sequence[int], axis: int) -> str:
    """`sizes` as a tensor, with the number of pictures at `axis`."""
    before, after = sizes[:axis], sizes[axis + 1 :]
    parts = [*([step.ints(before)] if before else []), BATCH_VECTOR, *([step.ints(after)] if after else [])]
    return step.add("Concat", parts, axis=0) if len(parts) > 1 else BATCH_VECTOR


def _expand(step: Step) -> list[Plan]:
    name, out = step.node.input[0], step.shape(step.node.output[0])
    axis = step.axis(name)
    if axis is None or step.value(1) is None:
        return []
    home = axis.moved(axis.axis + len(out) - len(step.shape(name)))
    if out[home.axis] != home.outer * home.inner:
        return []
    target = [1 if i == home.axis else size for i, size in enumerate(out)]  # 1 leaves the batch as it comes
    step.add("Expand", [name, step.ints(target)], step.node.output[0])
    return [step.plan(home)]


def _gather(step: Step) -> list[Plan]:
    data, index = step.node.input[:2]
    axis, at = step.axis(data), step.axis(index)
    shape, picked = step.shape(data), step.shape(index)
    along = step.attribute("axis", 0) % len(shape)
    if axis is None and at is not None:
        return step.keep(at.moved(along + at.axis))
    if axis is not None and at is None:
        if axis.axis != along:
            return step.keep(axis.moved(axis.axis + (len(picked) - 1) * (axis.axis > along)))
        return _gather_from_batch(step, axis, along)
    if prod(shape[:along]) != 1:
        return []
    # Each picture has its own rows and its own index: rows [batch, n, rest], index [batch, m, 1].
    rows = step.batch_first(data, [shape[along], prod(shape[along + 1 :])])
    wanted = step.batch_first(index, [prod(picked), 1])
    return step.reshaped(step.add("GatherND", [rows, wanted], batch_dims=1), 1)


def _gather_from_batch(step: Step, axis: BatchAxis, along: int) -> list[Plan]:
    """Rows picked from the axis in which the batch lives: it is split first, so that each picture's own rows are picked."""
    data, index = step.node.input[:2]
    shape, picked = step.shape(data), step.shape(index)
    if axis.plain:  # there is one row, the picture's own
        return step.reshaped(data, rows_before(shape, axis)) if prod(picked) == 1 else []
    if axis.outer > 1 < axis.inner:
        return []
    split = [axis.outer, -1] if axis.inner == 1 else [-1, axis.inner]
    rows = step.add("Reshape", [data, step.ints([*shape[:along], *split, *shape[along + 1 :]])])
    taken = step.add("Gather", [rows, index], axis=along if axis.inner == 1 else along + 1)
    return step.reshaped(taken, prod(shape[:along]) * (prod(picked) if axis.inner == 1 else 1))


def _gather_nd(step: Step) -> list[Plan]:
    data, index = step.node.input
    axis, at, dims = step.axis(data), step.axis(index), step.attribute("batch_dims", 0)
    if axis is None:
        return step.keep(at) if at is not None and dims == 0 and at.axis < len(step.shape(index)) - 1 else []
    if dims:
        return step.keep(axis) if axis == at and axis.axis < dims else []
    picked = step.shape(index)
    if at is None:  # the same places for every picture
        wanted = step.add("Reshape", [index, step.ints([1, *picked])])
        wanted = step.add("Expand", [wanted, _per_picture(step, [1, *picked], 0)])
    else:
        wanted = step.batch_first(index, picked)
    rows = step.batch_first(data, step.shape(data))
    return step.reshaped(step.add("GatherND", [rows, wanted], batch_dims=1), 1)


def _gather_elements(step: Step) -> list[Plan]:
    data, index = step.node.input
    axis, at = step.axis(data), step.axis(index)
    along = step.attribute("axis", 0) % len(step.shape(data))
    if axis is not None or at is None:
        return step.keep(axis) if axis == at and axis is not None and axis.axis != along else []
    if at.axis == along:  # every place is looked up by itself
        return step.keep(at)
    if not at.plain or step.shape(data)[at.axis] != 1:
        return []
    # The same table for every text, e.g. the token types that newer XLM-R exports look up.
    step.add("GatherElements", [_expanded(step, data, at.axis), index], step.node.output[0], axis=along)
    return [step.plan(at)]


def _slice(step: Step) -> list[Plan]:
    axis = step.axis(step.node.input[0])
    starts, ends = step.value(1), step.value(2)
    if axis is None or starts is None or ends is None or len(step.batched) > 1:
        return []
    rank = len(step.shape(step.node.input[0]))
    along = step.value(3) if step.input(3) else np.arange(len(starts))
    steps = step.value(4) if step.input(4) else np.ones(len(starts), np.int64)
    if along is None or steps is None:
        return []
    cuts = [(int(a) % rank, *map(int, cut)) for a, *cut in zip(along, starts, ends, steps, strict=True)]
    kept = [cut for cut in cuts if cut[0] != axis.axis]
    if len(kept) == len(cuts):
        return step.keep(axis)
    sizes = [step.shape(name)[axis.axis] for name in (step.node.input[0], step.node.output[0])]
    if sizes[0] != sizes[1] or any(cut[0] == axis.axis and cut[3] != 1 for cut in cuts):
        return []  # only a cut that leaves the whole axis may be left out
    if not kept:
        step.add("Identity", step.node.input[:1], step.node.output[0])
    else:
        places, *limits = zip(*kept, strict=True)
        begin, end, stride = (step.ints(limit) for limit in limits)
        step.add("Slice", [step.node.input[0], begin, end, step.ints(places), stride], step.node.output[0])
    return [step.plan(axis)]


def _off_axis(step: Step) -> list[Plan]:
    """Operators that work along one axis and leave the others alone: softmax, split, cumulated sums."""
    name = step.node.input[0]
    axis = step.axis(name)
    along = step.value(1) if step.node.op_type == "CumSum" else step.attribute("axis", _AXIS.get(step.node.op_type, -1))
    if axis is None or along is None or len(step.batched) > 1 or int(np.ravel(along)[0]) % len(step.shape(name)) == axis.axis:
        return []
    return step.keep(axis)


def _reduce(step: Step) -> list[Plan]:
    name = step.node.input[0]
    axis, rank = step.axis(name), len(step.shape(name))
    gone = {step.attribute("axis", 0) % rank} if step.node.op_type.startswith("Arg") else _axes(step, rank)
    if axis is None or gone is None or axis.axis in gone:
        return []
    return step.keep(axis if step.attribute("keepdims", 1) else axis.moved(axis.axis - sum(i < axis.axis for i in gone)))


def _trailing(step: Step) -> list[Plan]:
    """Layer norms: all axes from `axis` on belong together."""
    name = step.node.input[0]
    axis = step.axis(name)
    if axis is None or len(step.batched) > 1 or axis.axis >= step.attribute("axis", -1) % len(step.shape(name)):
        return []
    return step.keep(axis)


def _image(step: Step) -> list[Plan]:
    """Operators on [batch, channels, ...] with weights."""
    flat_indices = step.node.op_type == "MaxPool" and len(step.node.output) > 1  # they count through the whole batch
    scaled = step.shape(step.node.output[0])[0] != 1
    if flat_indices or scaled or step.attribute("training_mode", 0) or len(step.batched) > 1:
        return []
    return step.keep(BatchAxis(0)) if step.axis(step.node.input[0]) == BatchAxis(0) else []


def _resize(step: Step) -> list[Plan]:
    """A wanted size names the batch too. Whole factors take its place, which runtimes know best, else a size with the true batch."""
    wanted, have = step.value(3), step.shape(step.node.input[0])
    if not step.input(3) or step.attribute("axes") is not None:  # axes: those that the size is for
        return _image(step) if wanted is None or 0 not in [axis % len(have) for axis in step.attribute("axes")] else []
    if wanted is None or wanted[0] != 1 or len(step.batched) > 1 or step.axis(step.node.input[0]) != BatchAxis(0):
        return []
    sizes = [int(size) for size in wanted]
    if all(size % old == 0 for size, old in zip(sizes, have, strict=True)):
        given = [step.input(1), step.constant(np.array([size / old for size, old in zip(sizes, have, strict=True)], np.float32))]
    else:
        given = [step.input(1), "", _per_picture(step, sizes, 0)]
    attributes = {a.name: step.attribute(a.name) for a in step.node.attribute}
    step.add("Resize", [step.node.input[0], *given], step.node.output[0], **attributes)
    return [step.plan(BatchAxis(0))]


def _trilu(step: Step) -> list[Plan]:
    name = step.node.input[0]
    axis = step.axis(name)
    fits = axis is not None and axis.axis < len(step.shape(name)) - 2 and len(step.batched) == 1
    return step.keep(axis) if fits else []


def _pad(step: Step) -> list[Plan]:
    pads, axis = step.value(1), step.axis(step.node.input[0])
    if pads is None or axis is None or step.input(3):
        return []
    rank = len(step.shape(step.node.input[0]))
    return step.keep(axis) if pads[axis.axis] == pads[axis.axis + rank] == 0 else []


def _tile(step: Step) -> list[Plan]:
    repeats, axis = step.value(1), step.axis(step.node.input[0])
    return step.keep(axis) if repeats is not None and axis is not None and repeats[axis.axis] == 1 else []


def _gemm(step: Step) -> list[Plan]:
    axis = step.axis(step.node.input[0])
    bias = step.shape(step.node.input[2]) if step.input(2) else ()
    rows = 1 if step.attribute("transA", 0) else 0
    if axis is None or len(step.batched) > 1 or axis.axis != rows or (len(bias) == 2 and bias[0] != 1):
        return []
    return step.keep(axis.moved(0))


def _matmul(step: Step) -> list[Plan]:
    left, right = step.node.input
    a, b = step.axis(left), step.axis(right)
    rank_a, rank_b, rank = (len(step.shape(name)) for name in (left, right, step.node.output[0]))
    if min(rank_a, rank_b) < 2:
        return []
    if a is not None and a.axis == rank_a - 2 and b is None:
        return step.keep(a.moved(rank - 2))
    if b is not None and b.axis == rank_b - 1 and a is None:
        return step.keep(b.moved(rank - 1))
    if any(axis is not None and axis.axis >= size - 2 for axis, size in ((a, rank_a), (b, rank_b))):
        return []  # the batch would be summed over, or pictures multiplied with each other
    return _elementwise(step)  # what is left is broadcast over the leading axes


def _attention(step: Step) -> list[Plan]:
    """Attention-23: query, key, value [batch, ...]; a mask is shared, or has the batch for its first of four axes."""
    first = BatchAxis(0)
    if any(step.axis(name) != first for name in step.node.input[:3]) or any(map(step.input, (4, 5, 6))):
        return []
    mask = step.input(3)
    if mask and step.axis(mask) not in (None, first):
        return []
    if mask and step.axis(mask) == first and len(step.shape(mask)) != 4:
        return []
    return step.keep(first)


def _axes(step: Step, rank: int) -> set[int] | None:
    """The node's axes, from its attribute (older opsets) or its second input; None where they are not known or all."""
    given = step.attribute("axes") if step.attribute("axes") is not None else step.value(1)
    return None if given is None or len(given) == 0 else {int(axis) % rank for axis in given}


_AXIS = {"Split": 0}
_RULES: dict[Rule, tuple[str, ...]] = {
    _elementwise: (
        "Abs", "Add", "And", "BiasGelu", "Cast", "CastLike", "Ceil", "Celu", "Clip", "Cos", "Div", "Dropout", "Elu", "Equal", "Erf", "Exp",
        "FastGelu", "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu",
        "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "QuickGelu",
        "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tanh",
        "Where", "Xor",
    ),
    _image: (
        "AveragePool", "BatchNormalization", "Conv", "DepthToSpace", "GlobalAveragePool", "GlobalMaxPool", "GroupNormalization",
        "InstanceNormalization", "LRN", "MaxPool", "SpaceToDepth",
    ),
    _reduce: (
        "ArgMax", "ArgMin", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
        "ReduceProd", "ReduceSum", "ReduceSumSquare",
    ),
    _off_axis: ("CumSum", "LogSoftmax", "LpNormalization", "Softmax", "Split"),
    _trailing: ("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"),
    _reshape: ("Flatten", "Reshape"), _resize: ("Resize",),
    _attention: ("Attention",), _concat: ("Concat",), _expand: ("Expand",), _gather: ("Gather",), _gather_elements: ("GatherElements",),
    _gather_nd: ("GatherND",), _gemm: ("Gemm",), _matmul: ("MatMul",), _pad: ("Pad",), _slice: ("Slice",), _squeeze: ("Squeeze",),
    _tile: ("Tile",), _transpose: ("Transpose",), _trilu: ("Trilu",), _unsqueeze: ("Unsqueeze",),
}  # fmt: skip
RULES: dict[str, Rule] = {op: rule for rule, ops in _RULES.items() for op in ops}
