"""What Arm NN does not take, written with what it takes: the same numbers, and not a node changed that need not be."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from triptych_server.models.convert.armnn_rewrites import MOST_AXES, rewrite_for_armnn
from triptych_server.models.sessions import open_session


def model(nodes, given, made, **constants):
    """x -> nodes -> y."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", given), ("y", made)))
    held = [
        numpy_helper.from_array(value if isinstance(value, np.ndarray) else np.array(value, np.int64), name)
        for name, value in constants.items()
    ]
    return helper.make_model(helper.make_graph(nodes, "g", [x], [y], held), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def both(given, atol=0.0):
    """The answers before and after, and the graph after."""
    before, after = given, onnx.ModelProto()
    after.CopyFrom(before)
    rewrite_for_armnn(after)
    onnx.checker.check_model(after, full_check=True)
    x = np.random.default_rng(0).normal(size=[dim.dim_value for dim in before.graph.input[0].type.tensor_type.shape.dim])
    wanted, found = (open_session(one).run(None, {"x": x.astype(np.float32)})[0] for one in (before, after))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=atol)
    return after


def operators(made):
    return [node.op_type for node in made.graph.node]


def most_axes(made, operator):
    shapes = {value.name: value for value in onnx.shape_inference.infer_shapes(made, data_prop=True).graph.value_info}
    shapes |= {value.name: value for value in (*made.graph.input, *made.graph.output)}
    return max(len(shapes[node.input[0]].type.tensor_type.shape.dim) for node in made.graph.node if node.op_type == operator)


@pytest.mark.parametrize(
    ("shape", "perm"),
    [
        ((1, 7, 3, 4, 5), (2, 0, 3, 1, 4)),  # query, key and value of OpenCLIP
        ((1, 7, 1, 3, 8), (3, 0, 1, 2, 4)),
        ((2, 3, 4, 5, 6), (0, 3, 4, 1, 2)),  # neighbours stay together
        ((1, 2, 4, 1, 3, 2), (5, 4, 0, 3, 1, 2)),
        ((1, 1, 1, 1, 1), (4, 3, 2, 1, 0)),
    ],
)
def test_a_permutation_of_many_axes_is_one_of_few(shape, perm):
    made = both(model([helper.make_node("Transpose", ["x"], ["y"], perm=perm)], shape, [shape[axis] for axis in perm]))
    assert most_axes(made, "Transpose") <= MOST_AXES


@pytest.mark.parametrize(("shape", "perm"), [((2, 3, 4, 5, 6), (4, 3, 2, 1, 0)), ((2, 3, 4), (2, 0, 1))])
def test_one_that_cannot_be_folded_or_need_not_be_stays(shape, perm):
    given = model([helper.make_node("Transpose", ["x"], ["y"], perm=perm)], shape, [shape[axis] for axis in perm])
    assert operators(both(given)) == ["Transpose"]


@pytest.mark.parametrize(("axis", "index"), [(0, 2), (1, 0), (-1, -1), (2, 3)])
def test_one_slice_is_cut_out(axis, index):
    shape = (3, 2, 4, 5)
    rest = [size for at, size in enumerate(shape) if at != axis % len(shape)]
    made = both(model([helper.make_node("Gather", ["x", "index"], ["y"], axis=axis)], shape, rest, index=index))
    assert operators(made) == ["Reshape", "Slice", "Reshape"]


def test_many_slices_are_gathered():
    made = both(model([helper.make_node("Gather", ["x", "index"], ["y"])], (3, 2), (2, 2), index=[2, 0]))
    assert operators(made) == ["Gather"]


@pytest.mark.parametrize("pads", [(1, 1, 1, 1), (0, 0, 1, 1)])
def test_pooling_pads_before_it_pools(pads):
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=pads),
    ]
    side = (8 + pads[0] + pads[2] - 3) // 2 + 1
    made = both(model(nodes, (1, 2, 8, 8), (1, 2, side, side)))
    assert operators(made) == ["Relu", "Pad", "MaxPool"]


def test_pooling_of_what_may_be_negative_stays():
    pool = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    assert operators(both(model([pool], (1, 2, 8, 8), (1, 2, 8, 8)))) == ["MaxPool"]


def convolution(channels, filters, groups):
    kernel = np.random.default_rng(1).integers(-3, 4, (filters, channels // groups, 3, 3)).astype(np.float32)
    conv = helper.make_node("Conv", ["x", "kernel", "bias"], ["y"], group=groups, strides=[2, 2], pads=[1, 1, 1, 1])
    bias = np.arange(filters, dtype=np.float32)
    return model([conv], (1, channels, 8, 8), (1, filters, 4, 4), kernel=kernel, bias=bias)


@pytest.mark.parametrize(("channels", "filters", "groups"), [(4, 8, 4), (6, 4, 2), (4, 4, 2)])
def test_groups_are_joined(channels, filters, groups):
    made = both(convolution(channels, filters, groups), atol=1e-4)  # sums in another order
    [conv] = made.graph.node
    assert not [item for item in conv.attribute if item.name == "group"]


@pytest.mark.parametrize(("channels", "groups"), [(4, 4), (4, 1)])
def test_one_filter_for_each_channel_stays(channels, groups):
    given = convolution(channels, channels, groups)
    assert both(given).graph.node[0] == given.graph.node[0]
